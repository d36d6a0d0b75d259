"""Find results that were copied, moved, deleted, or made by other code or with other params, before the jobs are planned.

Snakemake records how results were made in the folder .snakemake, where it was started. For every result, a note in origins/ of the
results folder has the same facts. This file copies the facts of the notes to Snakemake's records. It has no rules.

Needs:  origins/<result>.json
"""

import json
from cortexscale.files import write_text
from cortexscale.origins import reconcile
from snakemake.io import is_flagged
from snakemake.logging import logger
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence


class SnakemakeRecords(FilePersistence):
    """Snakemake's records of how results were made, in its folder of metadata."""

    def get(self, result):
        record = self._read_record(result)
        return record and (record.params, record.input)

    def put(self, result, made_by, params, inputs):
        facts = {"rule": made_by, "params": params, "input": inputs, "incomplete": False}
        self._write_record(result, MetadataRecord(**facts, record_format_version=RECORD_FORMAT_VERSION))


def reconcile_results():
    """Compare all results with their notes, and warn about results that will be made again."""
    memory = Path(".snakemake/origins.json")
    try:
        seen = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the first start in this folder, or a damaged file: all notes are read
        seen = {}
    different = reconcile(
        plan.results,
        SnakemakeRecords(nolock=True),
        seen,
        temporary={
            each.name for each in workflow.rules if any(is_flagged(file, "temp") for file in each.output)
        },
        makes=lambda file: any(output.match(file) for each in workflow.rules for output in each.output),
    )
    write_text(memory, json.dumps(seen))
    if different:
        listed = "".join(f"\n    {result} {why}" for result, why in list(different.items())[:12])
        more = f"\n    and {len(different) - 12} more" if len(different) > 12 else ""
        logger.warning(
            f"These results are not as they were made. They are made again where they are needed:{listed}{more}"
        )


# A job on a cluster runs this file as well, but the process that submitted the job has already decided what it makes.
if workflow.is_main_process and Path(plan.results).is_dir():
    try:
        reconcile_results()
    except OSError as error:  # such as somebody else's results folder, which can only be read
        logger.warning(f"The results were not compared with the notes of their origins: {error}")
