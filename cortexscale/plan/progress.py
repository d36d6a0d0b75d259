"""Report how far a run is and how long it will still take."""

import inspect
import logging
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from cortexscale.plan.costs import Costs

_FINISHED_BEFORE_A_FORECAST = 3
_SECONDS_BETWEEN_LINES = 10
_SHARE_BETWEEN_LINES = 0.02
"""Smallest time between two lines, as a fraction of the time that the run has taken. A run of days prints a few hundred lines."""
_REPLACED = ("job_started", "job_finished", "progress")
"""Events of Snakemake's log records that the lines about progress replace."""
_SELECTS = "Select jobs to execute..."
"""A message of Snakemake that comes before every group of jobs and says nothing about them."""


class Progress(logging.Handler):
    """Follow a run in Snakemake's log records, and write a line about it from time to time.

    The time left is the expected time of all unfinished jobs, divided by the average number of jobs that have run at a time. The
    expected time of a job comes from the formulas of the target ``estimate``. It is multiplied by a ratio: the time that the
    finished jobs of the same rule took, divided by their expected time. If no job of the rule has finished, the ratio is the
    median over the other rules.

    Args:
        costs: the costs of the jobs of the study.
        jobs: number of each job -> its rule and wildcards.
        write: called with each line.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        costs: Costs,
        jobs: Mapping[int, tuple[str, Mapping[str, str]]],
        write: Callable[[str], Any],
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__()
        self._rules = {number: rule for number, (rule, _) in jobs.items()}
        self._expected = {number: _seconds(costs, rule, wildcards) for number, (rule, wildcards) in jobs.items()}
        self._write, self._clock = write, clock
        self._began = self._last = clock()
        self._running: dict[int, float] = {}  # number of a job -> when it started
        self._took: dict[int, float] = {}  # number of a finished job -> the seconds that it took

    def emit(self, record: logging.LogRecord) -> None:
        """Note that jobs started or finished, and write a line if the last line is old."""
        event, now = getattr(record, "event", None), self._clock()
        if event == "job_started":
            self._running |= dict.fromkeys(record.jobs, now)  # type: ignore[attr-defined]
        elif event == "job_finished":
            number: int = record.job_id  # type: ignore[attr-defined]
            self._took[number] = now - self._running.pop(number, now)
            pause = max(_SECONDS_BETWEEN_LINES, _SHARE_BETWEEN_LINES * (now - self._began))
            if now - self._last >= pause or len(self._took) == len(self._rules):
                self._last = now
                self._write(self.line(self._rules.get(number, "")))

    def line(self, rule: str) -> str:
        """Return a line about the run, and about a rule in it."""
        every = Counter(self._rules.values())
        done = Counter(self._rules[number] for number in self._took.keys() & self._rules)
        elapsed, left = self._clock() - self._began, self.seconds_left()
        forecast = "" if left is None or done == every else f", about {duration(left)} left"
        stage = f"{rule}: {done[rule]} of {every[rule]}"
        return f"{done.total()} of {every.total()} jobs done ({stage}) after {duration(elapsed)}{forecast}"

    def seconds_left(self) -> float | None:
        """Return the expected time until all jobs are done, in seconds; None if too few jobs are finished to tell."""
        known = self._took.keys() & self._expected
        elapsed, now = self._clock() - self._began, self._clock()
        busy = sum(self._took.values()) + sum(now - started for started in self._running.values())
        if len(known) < _FINISHED_BEFORE_A_FORECAST or busy <= 0:
            return None
        took, expected = defaultdict[str, float](float), defaultdict[str, float](float)
        for number in known:
            took[self._rules[number]] += self._took[number]
            expected[self._rules[number]] += self._expected[number]
        usual = statistics.median(took[rule] / expected[rule] for rule in took)
        work = 0.0
        for number in self._expected.keys() - known:
            rule = self._rules[number]
            ratio = took[rule] / expected[rule] if rule in took else usual
            work += max(ratio * self._expected[number] - (now - self._running.get(number, now)), 0)
        return work * elapsed / busy


def follow(log: logging.Logger, progress: Progress) -> None:
    """Write lines about a run on the terminal, in place of Snakemake's lines for each job. Log plugins still get all records."""
    for handler in log.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(lambda record: getattr(record, "event", None) not in _REPLACED and record.msg != _SELECTS)
    log.addHandler(progress)


def _seconds(costs: Costs, rule: str, wildcards: Mapping[str, str]) -> float:
    cost = getattr(costs, rule, None)
    if cost is None:  # no formula: a short job
        return costs.machine.start
    named = inspect.signature(cost).parameters
    return cost(**{name: value for name, value in wildcards.items() if name in named}).seconds


def duration(seconds: float) -> str:
    """Return a time as text, in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
