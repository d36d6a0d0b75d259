"""Download of published tables from the Hugging Face hub."""

import logging
import shutil
from pathlib import Path

from huggingface_hub import hf_hub_download

from cortexscale.errors import InputError
from cortexscale.files import whole_file

FOLDER = "data"  # folder of the tables in the repository


def download_table(repo: str, revision: str, path: Path) -> None:
    """Download one table from a data set of the hub to ``path``. The cache of the hub resumes and verifies downloads.

    Raises an InputError if there is no connection, or if the data set, revision or file does not exist.
    """
    name = f"{FOLDER}/{path.name}"
    try:
        cached = hf_hub_download(repo, name, repo_type="dataset", revision=revision)
    except (OSError, ValueError) as error:
        found = f"no download ({type(error).__name__}: {str(error).splitlines()[0]})"
        remedy = f"check the connection, `published.repo` and `published.revision`, or save the file by other means as {path}"
        raise InputError(f"{repo}, {name} at {revision}", found, "a file to download", remedy) from error
    with whole_file(path) as part:
        shutil.copyfile(cached, part)
    logging.info("%s: %s bytes, commit %s", path, f"{path.stat().st_size:,}", Path(cached).parents[1].name)
