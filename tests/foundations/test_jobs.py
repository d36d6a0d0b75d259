"""The border between rules and scripts: names, types and messages."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from cortexscale.errors import InputError
from cortexscale.jobs import arguments_of, plain, run


class Penalties(BaseModel, extra="forbid"):
    low: float = 1
    kind: Literal["roi", "unit"] = "roi"


@dataclass(frozen=True)
class Network:
    id: str
    layers: tuple[str, ...]
    penalties: Penalties = field(default_factory=Penalties)
    file: Path | None = None


def job(**given: Any) -> SimpleNamespace:
    """A job as its script sees it, with the resources that every job has."""
    empty = {"input": {}, "output": {}, "params": {"code": "digest"}, "threads": 3, "log": ["a.log"], "rule": "draw"}
    return SimpleNamespace(**{**empty, "resources": {"mem_mb": 100, "tmpdir": "/tmp"}, **given})


def test_everything_that_a_rule_names_is_bound_by_name_and_loaded():
    def main(*, table: Path, recordings: list[Path], network: Network, percent: float, batch_size: int, threads: int, log: Path):
        pass

    network = Network("a", ("conv1", "conv2"), Penalties(kind="unit"), Path("w.pt"))
    params = {"network": plain(network), "percent": 10, "code": "digest"}
    json.dumps(params)  # nothing but plain values
    bound = arguments_of(
        main,
        job(
            output={"table": "out/a.parquet"},
            input={"recordings": ["a.h5", "b.h5"]},
            params=params,
            resources={"batch_size": 8, "mem_mb": 1},
        ),
    )
    assert bound == {
        "table": Path("out/a.parquet"),
        "recordings": [Path("a.h5"), Path("b.h5")],
        "network": network,
        "percent": 10.0,
        "batch_size": 8,
        "threads": 3,
        "log": Path("a.log"),
    }
    assert isinstance(bound["network"].layers, tuple) and isinstance(bound["percent"], float)


def test_an_optional_file_is_a_list_of_one_or_of_none():
    def main(*, base: Path | None = None, prepared: Path | None = None, images: list[Path]):
        pass

    assert arguments_of(main, job(input={"base": [], "images": []})) == {"images": []}
    assert arguments_of(main, job(input={"base": ["w.pt"], "images": ["i.npz"]})) == {
        "base": Path("w.pt"),
        "images": [Path("i.npz")],
    }
    with pytest.raises(InputError, match=r"`base` of rule draw.*\n.*'v.pt'(.*\n)+.*Path \| None"):
        arguments_of(main, job(input={"base": ["w.pt", "v.pt"], "images": []}))
    with pytest.raises(InputError, match="`images` of rule draw"):
        arguments_of(main, job(input={"images": "i.npz"}))


def test_the_digest_of_the_code_is_taken_or_left():
    def leaves(*, seed: int):
        pass

    def takes(*, seed: int, code: str):
        pass

    params = {"seed": 1, "code": "digest"}
    assert arguments_of(leaves, job(params=params)) == {"seed": 1}
    assert arguments_of(takes, job(params=params)) == {"seed": 1, "code": "digest"}


@pytest.mark.parametrize("kind", ["input", "output", "params"])
def test_a_name_that_main_does_not_take_is_an_error(kind):
    def main(*, seed: int = 0):
        pass

    with pytest.raises(InputError, match=rf"`sed` of rule draw and main of test_jobs.py\n.*a name in {kind} that main does not"):
        arguments_of(main, job(**{kind: {"sed": "1"}}))


def test_all_problems_are_reported_together():
    def main(*, table: Path, network: Network, penalties: Penalties, seed: int):
        pass

    wrong = {"id": "a"}, {"low": 2, "hihg": 3}
    with pytest.raises(InputError) as caught:
        arguments_of(main, job(input={"seed": "3"}, params={"network": wrong[0], "penalties": wrong[1], "seed": 1}))
    text = str(caught.value)
    assert text.startswith("4 problems")
    assert "`seed` of rule draw and main of test_jobs.py" in text and "two values in the rule, one of them in params" in text
    assert "`table` of rule draw and main of test_jobs.py" in text and "no value in the rule" in text
    assert "layers: Field required" in text
    assert "hihg: Extra inputs are not permitted" in text and "Penalties" in text


def test_main_runs_under_the_log_of_its_job(tmp_path):
    seen = []

    def main(*, seed: int):
        logging.info("seed %d", seed)
        seen.append(seed)

    log = tmp_path / "a.log"
    run(main, job(params={"seed": "4"}, log=[str(log)]))
    assert seen == [4] and "seed 4" in log.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        run(main, job(log=[str(log)]))
    assert "`seed` of rule draw" in log.read_text(encoding="utf-8")
