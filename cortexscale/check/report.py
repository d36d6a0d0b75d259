"""A readable list of everything that is wrong, by what it is wrong with."""

import logging
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cortexscale.errors import InputError, InputErrors
from cortexscale.files import whole_file

log = logging.getLogger(__name__)

MANY = 20
"""Lines of one kind that are shown; then "... and 300 more"."""
_wrapped = textwrap.TextWrapper(
    118, initial_indent="  > ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)


@dataclass
class Section:
    """One thing that was checked.

    Attributes:
        title: what it is.
        problems: one entry each; may have several lines.
        facts: what was found in order.
        help: how to get it right; shown only where there are problems.
    """

    title: str
    problems: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    help: list[str] = field(default_factory=list)
    _errors: dict[tuple[str, str], list[InputError]] = field(default_factory=dict)

    def many(self, intro: str, lines: list[str]) -> None:
        """One problem with several cases."""
        if lines:
            shown = [*lines[:MANY], *([f"... and {len(lines) - MANY} more"] if len(lines) > MANY else [])]
            self.problems.append("\n".join([intro, *(f"  {line}" for line in shown)]))

    @contextmanager
    def collect(self, doing: str, blame: str) -> Iterator[None]:
        """Note an exception of the block as a problem and carry on after it.

        Args:
            doing: what the block does, for exceptions other than InputError.
            blame: who should look at those.
        """
        try:
            yield
        except InputErrors as errors:
            for error in errors.problems:
                self._note(error)
        except InputError as error:
            self._note(error)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.problems.append(
                f"{doing} fails with {type(error).__name__}: {error} (line {place.lineno} of {place.filename}; {blame})"
            )

    def _note(self, error: InputError) -> None:
        """As one problem with those that found the same elsewhere: the 48 subjects of an old release are one."""
        others = self._errors.setdefault((error.found, error.expected), [])
        if not others:
            self.problems.append(str(error))
        else:
            self.problems = [problem for problem in self.problems if not problem.startswith(str(others[0]))]
            self.problems.append(f"{others[0]}\n    also:     {len(others)} more, e.g. {error.where}")
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
    title: str
    sections: list[Section] = field(default_factory=list)

    def section(self, title: str) -> Section:
        self.sections.append(Section(title))
        return self.sections[-1]

    @property
    def n_problems(self) -> int:
        return sum(len(section.problems) for section in self.sections)

    def text(self) -> str:
        """All of it; what is in order comes last."""
        sections = sorted(self.sections, key=lambda section: not section.problems)
        verdict = f"{self.n_problems} problem(s)" if self.n_problems else "in order"
        return "\n\n".join([f"{self.title}: {verdict}", *(section.text() for section in sections)]) + "\n"

    def publish(self, file: Path) -> None:
        """To a file and to the terminal."""
        with whole_file(file) as part:
            part.write_text(self.text(), encoding="utf-8")
        print(f"\n{self.text()}", flush=True)
        if self.n_problems:
            log.error("%d problem(s), listed in %s", self.n_problems, file)
