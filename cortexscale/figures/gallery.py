"""The figures of one study: the figures that it can draw, and the reasons why it cannot draw the others."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cortexscale.errors import InputError
from cortexscale.figures.content import LACKING, PER_DATASET, Available, Content, Datasets, FigureDataset, table_of
from cortexscale.figures.paper import PAPER, PaperFigure
from cortexscale.figures.registry import CONTENTS
from cortexscale.study.fits import AverageSettings

KINDS = ("pdf", "png", "svg", "csv")
"""Suffixes of the files of a figure. The CSV file has every plotted number."""


@dataclass(frozen=True)
class Drawing:
    """One figure of a study: a :class:`cortexscale.figures.content.Content` with the variant and datasets that it shows.

    Attributes:
        name: the name by which the figure was requested. Its files are ``figures/<name>.pdf`` and so on.
        heading: the name, followed by the labels of the datasets if the figure shows only some.
        averages: settings that select the rows that the figure averages; None if the figure shows every ROI on its own.
    """

    name: str
    heading: str
    title: str
    caption: str
    draw: str
    tables: dict[str, str]
    datasets: dict[str, FigureDataset]
    averages: AverageSettings | None = None
    arguments: dict[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """Name by which the module that draws the figure is imported."""
        return f"cortexscale.figures.{self.draw.partition('.')[0]}"


class Gallery:
    """All figures of a study."""

    def __init__(self, available: Available):
        self.available = available

    def drawing(self, name: str) -> Drawing:
        """Return a figure by its name: ``<content>``, ``<content>/<variant>``, or the name in the paper.

        If the study cannot draw the figure, an InputError gives the reason and the most similar names.
        """
        found = self._find(name)
        if isinstance(found, str):
            raise self.refusal([name], found, "figure")
        return found

    def refusal(self, names: Sequence[str], reason: str, where: str) -> InputError:
        """Return an error that says why figures cannot be drawn. ``where`` is the place that asks for these figures."""
        known = [*self.drawable, *(alias for alias in PAPER if not self.reason(alias))]
        same = [name for name in known if name.partition("/")[0] == names[0].partition("/")[0]]
        nearest = dict.fromkeys([*difflib.get_close_matches(names[0], known, n=4), *same, *known])
        expected = f"a figure that this study can draw, such as {', '.join([*nearest][:4])}"
        remedy = "correct the name or leave the figure out; `snakemake list_figures` prints every figure of the study"
        return InputError(where, f"{', '.join(names)}: {reason}", expected, remedy)

    def reason(self, name: str) -> str | None:
        """Return the reason why a figure cannot be drawn; None if it can be drawn."""
        found = self._find(name)
        return found if isinstance(found, str) else None

    @property
    def drawable(self) -> list[str]:
        """All figures that the study can draw, by the names ``<content>`` and ``<content>/<variant>``."""
        return [name for name in self._names() if not self.reason(name)]

    def listing(self) -> str:
        """Return a text with one line per figure: its name, its name in the paper, and its title.

        For figures that cannot be drawn, the reason takes the place of the title.
        """
        aliases: dict[str, list[str]] = {name: [] for name in self._names()}
        for alias, figure in PAPER.items():
            same = self._by_content(figure)
            if same:
                aliases[same].append(alias)
            else:
                aliases[alias] = []
        drawn, lacking = [], []
        for name, others in aliases.items():
            found = self._find(name)
            if isinstance(found, str):
                lacking.append((name, " ".join(others), found))
            else:
                drawn.append((name, " ".join(others), f"{found.title}{f' ({_labels(found.datasets)})' if name in PAPER else ''}"))
        return "\n".join([*_columns("can be drawn:", drawn), *_columns("cannot be drawn:", lacking)])

    def _find(self, name: str, alias: str = "") -> Drawing | str:
        """Return a figure, or the reason why the study cannot draw it. If ``alias`` is given, it becomes the figure's name."""
        if name in PAPER:
            same = self._by_content(PAPER[name])
            return self._find(same, name) if same else self._find_of_paper(name, PAPER[name])
        kind, _, variant = name.partition("/")
        if kind not in CONTENTS:
            return "there is no such figure"
        content, variants = CONTENTS[kind], self._variants(CONTENTS[kind])
        if bool(variant) != bool(content.variants) or variant not in ("", *variants):
            names = [f"{kind}/{each}" for each in variants] if content.variants else [kind]
            return f"there is no such figure, but {', '.join(names)}" if names else "it shows one dataset, and the study has none"
        datasets = list(self.available.datasets)
        if content.variants == PER_DATASET:
            datasets = content.select(self.available, variant) if content.select else [variant]
        return self._draw(alias or name, content, variant, datasets)

    def _find_of_paper(self, name: str, figure: PaperFigure) -> Drawing | str:
        """Return a figure of the paper that shows only some datasets, or the reason why the figure cannot be drawn."""
        shown = []
        for reader in figure.readers:
            read = self._read_by(reader)
            if len(read) > 1:
                asked = [f"{figure.content}/{each}" for each in read] if CONTENTS[figure.content].variants else [figure.content]
                return f"it shows the dataset of the reader {reader}, and the study has several; ask for {', '.join(asked)}"
            shown += read
        shown += [each for each, of in self.available.datasets.items() if of.modality in figure.modalities]
        if not shown:
            what = f"reader {' or '.join(figure.readers)}" if figure.readers else f"modality {' or '.join(figure.modalities)}"
            return f"the study has no dataset of the {what}"
        content = CONTENTS[figure.content]
        return self._draw(name, content, shown[0] if content.variants else "", shown)

    def _draw(self, name: str, content: Content, variant: str, shown: Sequence[str]) -> Drawing | str:
        tables = {}
        for key, path in content.tables.items():
            table = table_of(path)
            if table in self.available.tables:
                tables[key] = path.format(variant=variant)
            elif key not in content.optional:
                return LACKING[table]
        reason = next((reason for need in content.needs if (reason := need(self.available, variant))), None)
        if reason:
            return reason
        datasets = {each: self.available.datasets[each] for each in shown}
        return Drawing(
            name=name,
            heading=name if variant or len(shown) == len(self.available.datasets) else f"{name}: {_labels(datasets)}",
            title=content.title.format(variant=self._variants(content).get(variant)),
            caption=content.caption,
            draw=content.draw,
            tables=tables,
            datasets=datasets,
            averages=None if content.every_roi else self.available.averages,
            arguments={key: value.format(variant=variant) for key, value in content.arguments.items()},
        )

    def _variants(self, content: Content) -> Mapping[str, str]:
        """Return the variants of a figure in this study: name -> words for the variant in titles."""
        if content.variants != PER_DATASET:
            return content.variants
        return {name: dataset.label for name, dataset in self.available.datasets.items()}

    def _names(self) -> list[str]:
        """List all figures by the names ``<content>`` and ``<content>/<variant>``.

        If the study has no datasets, the list has ``<content>/<dataset>`` for a figure that has one variant per dataset.
        """
        names = []
        for name, content in CONTENTS.items():
            variants = self._variants(content) or content.variants
            names += [f"{name}/{variant}" for variant in variants] if variants else [name]
        return names

    def _read_by(self, reader: str) -> list[str]:
        return [name for name, dataset in self.available.datasets.items() if dataset.reader == reader]

    def _by_content(self, figure: PaperFigure) -> str | None:
        """Return the name ``<content>`` or ``<content>/<variant>`` of a figure of the paper.

        Return None if the figure shows a choice of datasets that no such name stands for.
        """
        if CONTENTS[figure.content].variants == PER_DATASET and len(figure.readers) == 1:
            datasets = self._read_by(figure.readers[0])
            return f"{figure.content}/{datasets[0]}" if len(datasets) == 1 else None
        if figure.readers or figure.modalities:
            return None
        return f"{figure.content}/{figure.variant}" if figure.variant else figure.content


def _labels(datasets: Datasets) -> str:
    return ", ".join(dataset.label for dataset in datasets.values())


def _columns(heading: str, rows: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return the heading and the rows in aligned columns; nothing if there are no rows."""
    if not rows:
        return []
    first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
    return [heading, *(f"  {name:{first}}  {others:{second}}  {text}" for name, others, text in rows), ""]
