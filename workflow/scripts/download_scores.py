"""The published score table from the authors' repository, with its checksum verified."""

import hashlib
import logging
import shutil
import urllib.request
from pathlib import Path

from cortexscale.errors import InputError
from cortexscale.files import whole_file
from cortexscale.logs import logged


def main(url: str, sha256: str, output: Path) -> None:
    by_hand = f"save {url} with a browser, and set the config key scores.path to that file"
    with whole_file(output) as part:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer, part.open("wb") as file:
                shutil.copyfileobj(answer, file)
        except OSError as error:
            raise InputError(
                url, f"no download ({error})", "the published score table", f"check the connection, or {by_hand}"
            ) from error
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise InputError(
                url,
                f"{part.stat().st_size:,} bytes with sha256 {found}",
                f"sha256 {sha256} (config key scores.sha256)",
                f"try again; or {by_hand}",
            )
    logging.info("%s: sha256 as expected", output)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(snakemake.params.url, snakemake.params.sha256, Path(snakemake.output.scores))
