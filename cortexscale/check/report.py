"""Reports in sections, which list everything that was checked and every problem."""

import logging
import sys
import textwrap
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cortexscale.errors import InputError, InputErrors
from cortexscale.files import write_text

log = logging.getLogger(__name__)

MANY = 20  # largest number of listed cases of one problem; other cases are only counted
_wrapped = textwrap.TextWrapper(
    118, initial_indent="  > ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)


@dataclass
class ReportSection:
    """One section of a report: the problems and facts of one thing that was checked."""

    title: str
    problems: list[str] = field(default_factory=list)  # each has one or several lines
    facts: list[str] = field(default_factory=list)  # findings that are not problems
    help: list[str] = field(default_factory=list)  # remedies, which are printed only if there are problems
    _errors: dict[tuple[str, str], list[InputError]] = field(default_factory=dict)

    def add_cases(self, intro: str, cases: Iterable[object]) -> None:
        """Add one problem with several cases. Without cases, add nothing."""
        if cases := list(cases):
            listed = [*cases[:MANY], *([f"... and {len(cases) - MANY} more"] if len(cases) > MANY else [])]
            self.problems.append("\n".join([intro, *(f"  {case}" for case in listed)]))

    @contextmanager
    def collect(self, doing: str, blame: str) -> Iterator[None]:
        """Note an exception in the block as a problem, and continue after the block.

        For exceptions other than InputError, ``doing`` says what the block does, and ``blame`` says what is wrong or should be
        corrected.
        """
        try:
            yield
        except InputError as error:
            for each in error.problems if isinstance(error, InputErrors) else (error,):
                self._note(each)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.problems.append(
                f"{doing} fails with {type(error).__name__}: {error} (line {place.lineno} of {place.filename}; {blame})"
            )

    def _note(self, error: InputError) -> None:
        """Group identical errors, so that the same error in 48 subjects is reported once."""
        others = self._errors.setdefault((error.found, error.expected), [])
        if not others:
            self.problems.append(str(error))
        else:
            self.problems = [problem for problem in self.problems if not problem.startswith(str(others[0]))]
            self.problems.append(f"{others[0]}\n    also:     {len(others)} more, for example {error.where}")
        others.append(error)

    def text(self) -> str:
        n = len(self.problems)
        lines = [f"{self.title}: {'ok' if not n else f'{n} problem' + 's' * (n > 1)}"]
        lines += [f"  {fact}" for fact in self.facts]
        lines += [textwrap.indent(problem, "    ").replace("    ", "  - ", 1) for problem in self.problems]
        if n:
            lines += [_wrapped.fill(text) for text in self.help]
        return "\n".join(lines)


@dataclass
class Report:
    """A report in sections, which lists everything that was checked."""

    title: str
    sections: list[ReportSection] = field(default_factory=list)

    def section(self, title: str, *help: str) -> ReportSection:
        """Add a section and return it."""
        self.sections.append(ReportSection(title, help=list(help)))
        return self.sections[-1]

    @property
    def n_problems(self) -> int:
        return sum(len(section.problems) for section in self.sections)

    def text(self) -> str:
        """Return the text of the report. Sections without problems come last."""
        sections = sorted(self.sections, key=lambda section: not section.problems)
        verdict = f"{self.n_problems} problem(s)" if self.n_problems else "in order"
        return "\n\n".join([f"{self.title}: {verdict}", *(section.text() for section in sections)]) + "\n"

    def publish(self, file: Path) -> None:
        """Write the report to a file and print it. If there are problems, end the process with an error."""
        write_text(file, self.text())
        print(f"\n{self.text()}", flush=True)
        if self.n_problems:
            log.error("%d problem(s), listed in %s", self.n_problems, file)
            sys.exit(1)
