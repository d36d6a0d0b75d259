"""Check what models are made from: checkpoint files and names of pretrained networks."""

from collections.abc import Sequence
from pathlib import Path

from cortexscale.check.report import ReportSection
from cortexscale.errors import InputError
from cortexscale.files import require_real_file


def check_checkpoints(section: ReportSection, files: Sequence[str]) -> None:
    """Check that no checkpoint is a web page or a pointer to a file that was not downloaded. Missing files are ignored."""
    there, wrong = [file for file in files if Path(file).exists() or Path(file).is_symlink()], []
    for file in there:
        try:
            require_real_file(file, remedy="")
        except InputError as error:
            wrong.append(f"{file}: {error.found}")
    section.facts += [f"{len(there) - len(wrong):,} checkpoint(s) found"] if len(there) > len(wrong) else []
    section.add_cases("files that are not checkpoints (delete them, or fetch the content of git-annex pointers):", wrong)


def check_timm_names(section: ReportSection, names: Sequence[str]) -> None:
    """Check that timm has pretrained weights for every name. The names of models on a hub are not looked up."""
    if not names:
        return
    from cortexscale.models import timm_names

    section.facts += [f"timm calls {name} {new} now" for name in names if (new := timm_names.renamed(name))]
    wrong = [f"{name}; {advice}" for name in names if (advice := timm_names.unknown(name))]
    section.add_cases("names for which timm has no pretrained weights:", wrong)
