"""Check what models are made from: checkpoint files and names of pretrained networks."""

import difflib
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
    """Check that timm has pretrained weights for every name. Names of the hub, which have an owner, are not looked up."""
    names = [name for name in names if "/" not in name]
    if not names:
        return
    from cortexscale.models.vision import timm

    tagged = timm.list_models(pretrained=True)
    known = {*tagged, *(name.split(".")[0] for name in tagged)}
    near = {name: difflib.get_close_matches(name, known, n=2) for name in names if name not in known}
    unknown = [name + (f"; did you mean {' or '.join(others)}?" if others else "") for name, others in near.items()]
    section.add_cases("names for which timm has no pretrained weights (timm.list_models(pretrained=True) lists all):", unknown)
