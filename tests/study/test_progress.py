"""Lines about how far a run is, and how long it will still take."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from cortexscale.costs import Cost
from cortexscale.plan.progress import Progress, duration, follow

COSTS: Any = SimpleNamespace(
    machine=SimpleNamespace(start=2.0),
    features=lambda stimuli, model: Cost(seconds={"small": 4.0, "large": 40.0}[model], memory=0),
    commit_layers=lambda: Cost(seconds=1.0, memory=0),
)
FEATURES = {1: ("features", {"stimuli": "nsd", "model": "small"}), 2: ("features", {"stimuli": "nsd", "model": "large"})}
OTHERS = {3: ("commit_layers", {"stimuli": "nsd", "model": "small"}), 4: ("figure", {}), 5: ("figure", {}), 6: ("figure", {})}


class Run:
    """A run with a clock of its own, whose log records have the attributes of Snakemake's."""

    def __init__(self, jobs: dict[int, tuple[str, dict[str, str]]]):
        self.now, self.lines = 1000.0, list[str]()
        self.progress = Progress(COSTS, jobs, self.lines.append, lambda: self.now)

    def start(self, *jobs: int) -> None:
        self._record("job_started", jobs=list(jobs))

    def finish(self, job: int) -> None:
        self._record("job_finished", job_id=job)

    def _record(self, event: str, **values: Any) -> None:
        record = logging.makeLogRecord({"event": event, **values})
        self.progress.handle(record)


def test_time_left_is_that_of_jobs_of_the_same_rule_at_the_pace_of_the_run():
    run = Run(FEATURES | OTHERS)
    run.start(1, 4)
    run.now += 10
    for job in (1, 4):
        run.finish(job)
    assert run.progress.seconds_left() is None, "two finished jobs say too little"
    run.start(5, 3)
    run.now += 5
    run.finish(5)
    # Features took 10 s and not 4, figures 15 s and not 4. Job 3 has run longer than expected. Two jobs ran at a time.
    features, figures = 40 * 10 / 4, 2 * 15 / 4
    assert run.progress.seconds_left() == pytest.approx((features + figures) / 2)


def test_a_rule_without_finished_jobs_is_as_slow_as_the_median_rule():
    run = Run(FEATURES | OTHERS)
    for job, seconds in ((3, 20), (4, 6), (5, 6)):
        run.start(job)
        run.now += seconds
        run.finish(job)
    median = (20 / 1 + 12 / 4) / 2
    assert run.progress.seconds_left() == pytest.approx((4 + 40) * median + 2 * 6 / 2)


def test_lines_come_from_time_to_time_and_at_the_end():
    run = Run(FEATURES | OTHERS)
    for job in (4, 5, 6):
        run.start(job)
        run.now += 4
        run.finish(job)
    assert run.lines == ["3 of 6 jobs done (figure: 3 of 3) after 12 s, about 90 s left"]
    run.start(1, 2, 3)
    run.now += 1
    run.finish(3)
    run.finish(1)
    assert len(run.lines) == 1
    run.finish(2)
    assert run.lines[1:] == ["6 of 6 jobs done (features: 2 of 2) after 13 s"]


def test_a_long_run_writes_few_lines():
    run = Run({job: ("figure", {}) for job in range(20_000)})
    for job in range(10_000):
        run.start(job)
        run.now += 30
        run.finish(job)
    assert 100 < len(run.lines) < 400


def test_jobs_of_a_group_are_counted_although_the_start_of_the_group_names_none_of_them():
    run = Run(OTHERS)
    run.start(-1)
    run.now += 20
    for job in (3, 4, 5):
        run.finish(job)
    assert run.lines == ["1 of 4 jobs done (commit_layers: 1 of 1) after 20 s"]


def test_the_terminal_shows_our_lines_and_log_plugins_get_all_records(capsys):
    log, plugin = logging.getLogger("a run"), list[str]()
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    log.addHandler(handler := logging.Handler())
    handler.emit = lambda record: plugin.append(record.getMessage())  # type: ignore[method-assign]
    follow(log, Progress(COSTS, {4: OTHERS[4]}, log.info))
    log.info("Select jobs to execute...")
    log.info("Execute 1 jobs...", extra={"event": "job_started", "jobs": [4]})
    log.info("Finished jobid: 4", extra={"event": "job_finished", "job_id": 4})
    log.info("1 of 1 steps (100%) done", extra={"event": "progress", "done": 1, "total": 1})
    line = "1 of 1 jobs done (figure: 1 of 1) after 0 s"
    assert capsys.readouterr().err.splitlines() == [line]
    assert {line, "Finished jobid: 4", "Execute 1 jobs..."} < set(plugin)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (130, "2 min"), (3600, "60 min"), (9000, "2 h 30 min")]
)
def test_times_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text
