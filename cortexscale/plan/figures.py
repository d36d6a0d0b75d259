"""The figures of a study: the tables that each reads, the datasets that it shows, and whether the study has these."""

from pathlib import Path

from cortexscale.errors import InputError, Problems
from cortexscale.figures import FIGURES
from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.data import DataPlan
from cortexscale.plan.names import suggestions
from cortexscale.published import FILES
from cortexscale.study import Study


class FigurePlan:
    """The section ``figures`` of a study."""

    def __init__(self, study: Study, data: DataPlan, alignment: AlignmentPlan):
        self.study, self.data, self.alignment, self.results = study, data, alignment, study.results

    @property
    def names(self) -> list[str]:
        """The figures that the study asks for, without those that do not exist."""
        return [figure for figure in self.study.figures if figure in FIGURES]

    def check(self, problems: Problems) -> None:
        """Report figures that do not exist, and those that the study lacks tables or datasets for."""
        for figure in self.study.figures:
            if figure not in FIGURES:
                expected = f"the name of a figure, such as {suggestions(figure, FIGURES)}"
                problems.found.append(InputError("config key figures", figure, expected, "correct the name"))
        for check in (self._require_published, self._require_sections, self._require_experiments, self._require_datasets):
            with problems.collected():
                check()

    def tables(self, figure: str) -> dict[str, str]:
        """Return the tables that a figure reads, by name.

        Raises:
            InputError: the figure shows datasets, and the study has none of them; or layers, and the study searches none.
        """
        source, dataset = FIGURES[figure], next(iter(self.labels(figure)), None)
        if "layer_search" in source.tables and not (self.alignment.searched or self.study.published):
            raise InputError(
                f"figure {figure}",
                "a study whose layers are all taken from a file",
                "a search among layers, which it shows",
                "ask for another figure, or set layer_commitment.commit to search",
            )
        absent = {name for name, section in source.optional.items() if not self._has(section)}
        return {
            name: f"{self.results}/{path.format(dataset=dataset)}" for name, path in source.tables.items() if name not in absent
        }

    def labels(self, figure: str) -> dict[str, str]:
        """Return the datasets that a figure shows and their labels, in its order.

        A figure that names no readers shows all datasets of the study.

        Raises:
            InputError: as for :meth:`tables`.
        """
        readers, labels = FIGURES[figure].readers, self.data.labels
        named = [next((name for name, own in self.data.readers.items() if own == reader), None) for reader in readers]
        if readers and not any(named):
            found = f"a study without a dataset of the reader {' or '.join(readers)}"
            raise InputError(f"figure {figure}", found, "the dataset that it shows", "ask for another figure, or add the dataset")
        return {name: labels[name] for name in named if name} or labels

    @property
    def fits(self) -> list[str]:
        """The fits of result tables that the figures of the study and its mapping axis read."""
        paths = [path for figure in self.names for path in FIGURES[figure].tables.values()]
        names = [Path(path).name.removesuffix(".parquet") for path in paths if path.startswith("fits/")]
        names += ["mapping"] if self.study.mapping else []
        names = list(dict.fromkeys(name.removesuffix(".points").removesuffix(".curves") for name in names))
        return [name for name in names if name != "spvvs"]

    def _has(self, section: str) -> bool:
        """Tell whether the study has a section of the config, or a published table in its place."""
        return getattr(self.study, section, None) is not None or (self.study.published is not None and section in FILES)

    def _require_published(self) -> None:
        """Raise an InputError for figures that published tables, and fits to them, do not allow."""
        made = (*(f"tables/{table}.parquet" for table in FILES), "fits/")
        unpublished = [
            figure
            for figure in self.names
            if self.study.published
            for path in FIGURES[figure].tables.values()
            if not path.startswith(made) or path.startswith("fits/spvvs")
        ]
        if unpublished:
            expected = "figures of the published tables, and of fits to them"
            raise InputError("config key figures", ", ".join(dict.fromkeys(unpublished)), expected, "leave them out")

    def _require_sections(self) -> None:
        sections = {figure: FIGURES[figure].section for figure in self.names}
        lacking = {figure: name for figure, name in sections.items() if name and not self._has(name)}
        if lacking:
            names = ", ".join(dict.fromkeys(lacking.values()))
            found, remedy = (
                f"{', '.join(lacking)}, but no section {names}",
                f"leave them out, or add {names} (config/config.yaml)",
            )
            raise InputError("config key figures", found, "figures of experiments that the study has", remedy)

    def _require_experiments(self) -> None:
        tuned = self.study.finetuning
        needed = {figure: set(FIGURES[figure].experiments) - set(tuned.experiments) for figure in self.names if tuned}
        if tuned and any(needed.values()):
            found = ", ".join(f"{figure} (shows {' and '.join(sorted(names))})" for figure, names in needed.items() if names)
            expected = f"figures of the experiments {', '.join(tuned.experiments)}"
            raise InputError("config key figures", found, expected, "leave them out, or add to finetuning.experiments")

    def _require_datasets(self) -> None:
        readers = {figure: FIGURES[figure].readers for figure in self.names}
        lacking = {figure: names for figure, names in readers.items() if names and not {*names} & {*self.data.readers.values()}}
        if lacking:
            found = ", ".join(f"{figure} (shows {', '.join(names)})" for figure, names in lacking.items())
            remedy = f"leave them out: figures: [{', '.join(figure for figure in self.names if figure not in lacking)}]"
            raise InputError(
                "config key figures", f"figures of datasets that the study lacks: {found}", "figures of its own", remedy
            )
