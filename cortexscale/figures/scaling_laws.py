"""Figures of scaling laws: of pretraining, of the compute-optimal frontier, and of published scores (Gokce & Schrimpf 2025)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.convergence import draw_convergence
from cortexscale.figures.panels import BESIDE, FEW_MODELS, SCORE, draw_law, letter_panels, name_models
from cortexscale.figures.style import FAMILIES, MARKERS, Look, Style, colours, dataset_looks, family_looks, log_scale, log_x
from cortexscale.scaling.laws import DISTANCES
from cortexscale.scaling.points import ALL, worth_showing

_NUMBERS = ["axis", "metric", "kind", "benchmark_name", "model_id", "x", "score", "n_benchmarks", "low", "high", "truth"]
_NUMBERS += DISTANCES
_TRUTH: Style = {"lw": 0.7, "ls": (0, (1, 1))}
"""Look of the law of the true scores, which only simulated studies have."""
_LAW = "0.2"
"""Colour of the law in panels whose colours distinguish families."""
_HELD_OUT = {"o": "held out", "X": "held out", "D": "held out, own model"}
"""Marker -> name in the legend."""
_OPTIMA = {"n_params": ("x", "Parameters N"), "n_samples": ("x2", "Pretraining samples D"), "score": ("score", SCORE)}
"""Quantity at the optimum -> column of the models, and label of the axis."""
AROUND = 30
"""Factor by which axes of optima extend beyond the models. Optima outside the axes are not shown."""
_MEAN, _COMPUTE = "Alignment, mean of five benchmarks", "Training compute (FLOPs)"
_OF_FAMILY = {f"model_{name.lower()}_avg": (name, FAMILIES[name]) for name in ("ResNet", "EfficientNet", "ConvNeXt", "ViT")}
_OF_SET = {"sample_imagenet_scaling": ("ImageNet", "#2A9D8F"), "sample_ecoset_scaling": ("Ecoset", "#b12a90")}
PUBLISHED = (
    ("Alignment", _COMPUTE, {"compute_neuro": ("neural", "#1F4E79"), "compute_behavior": ("behaviour", "#f77f00")}),
    (_MEAN, _COMPUTE, _OF_FAMILY),
    (_MEAN, "Training images seen", _OF_SET),
    (_MEAN, "Parameters", {"parameter_scaling": ("all models, full data", "#1b263b")}),
)
"""Panels of published scores: label of y, label of x, and experiment -> (name, colour)."""
MOST_OTHERS = 4
"""Experiments that are not in ``PUBLISHED`` are drawn if they are at most this many. Each of them gets a panel of its own."""


def draw(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per axis of pretraining.

    The returned numbers include the distance of each model from the law (:func:`cortexscale.scaling.laws.distances`).
    """
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), sharey=True, layout="constrained")
    numbers = draw_axes(panels, tables, datasets)
    letter_panels(panels)
    return figure, numbers


def draw_with_convergence(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw scaling laws (a to c) above the convergence of architectures and families (d, e)."""
    figure, panels = plt.subplot_mosaic("aabbcc;dddeee", figsize=(10.5, 6.6), layout="constrained")
    laws = draw_axes([panels[letter] for letter in "abc"], tables, datasets)
    convergence = draw_convergence((panels["d"], panels["e"]), tables)
    letter_panels(panels.values())
    panels["e"].sharey(panels["d"])
    convergence["panel"] = convergence["panel"].map({"a": "d", "b": "e"})
    laws["panel"] = laws["axis"].map({"compute": "a", "samples": "b", "parameters": "c"})
    return figure, pd.concat([laws, convergence], ignore_index=True)


def draw_axes(panels: Sequence[Axes], tables: Tables, datasets: Datasets) -> pd.DataFrame:
    """Draw points and laws of every axis, and a legend next to the last panel. Return the plotted numbers.

    Colours distinguish datasets. If all models are scored on a single dataset, colours distinguish families.
    """
    points, curves = {}, {}
    for axis in MODEL_AXES:
        of_axis, curve = tables[f"{axis}_points"], tables[f"{axis}_curves"]
        of_axis = of_axis[worth_showing(of_axis, special=False)]
        points[axis] = of_axis.assign(kind=np.where(of_axis["fitted"], "model", "held out"))
        curves[axis] = _with_truth(curve[curve["family"] == ALL], tables.get(f"{axis}_truth")).assign(kind="fit")
    everything = pd.concat(points.values(), ignore_index=True)
    if everything.empty:
        raise NothingToShow("figure scaling_laws", "no model on any axis", "models whose size or training is known")
    names = set(everything["benchmark_name"]) - {AVERAGE}
    by_family = len(names) == 1
    if by_family:
        points, curves = ({axis: t[t["benchmark_name"].isin(names)] for axis, t in of.items()} for of in (points, curves))
    laws = dataset_looks(names if by_family else names | {AVERAGE}, datasets)
    groups = family_looks(everything["family"]) if by_family else laws
    for axis, panel in zip(MODEL_AXES, panels, strict=True):
        for name, look in groups.items():
            draw_points(panel, points[axis][points[axis]["family" if by_family else "benchmark_name"] == name], look.colour)
        farthest = points[axis].loc[points[axis]["fitted"], "x"].max()
        for name, look in laws.items():
            # Markers tell laws apart where colours cannot be seen. If colours show families, laws have no markers, because
            # markers would look like models.
            colour, marker = (_LAW, "") if by_family else (look.colour, look.marker)
            line: Style = {"color": colour, "lw": 2.5 if name == AVERAGE else 1.5}
            marked: Style = {"marker": marker, "markevery": 0.2, "ms": 5, "mec": "white", "mew": 0.4}
            curve = curves[axis][curves[axis]["benchmark_name"] == name]
            draw_law(panel, curve, farthest, line, **marked)
            if f"{axis}_truth" in tables:
                seen = curve[curve["x"] <= farthest]
                panel.plot(seen["x"], seen["truth"], color=colour, **_TRUTH)
        if len(points[axis]):
            log_x(panel, points[axis]["x"])
            name_models(panel, points[axis])
        panel.set_xlabel(MODEL_AXES[axis].label)
    numbers = pd.concat([each for axis in MODEL_AXES for each in (points[axis], curves[axis])], ignore_index=True)[_NUMBERS]
    scores = numbers.loc[numbers["kind"] != "fit", "score"]
    margin = 0.15 * (scores.max() - scores.min() or 1)
    for panel in panels:
        panel.set_ylim(scores.min() - margin, scores.max() + margin)
    panels[0].set_ylabel(f"Alignment S ({METRICS[numbers['metric'].iloc[0]]})")
    fitted = set(numbers.loc[numbers["kind"] == "fit", "benchmark_name"])
    lines = [_line(look, fitted=not by_family and name in fitted, bold=name == AVERAGE) for name, look in groups.items()]
    if by_family:
        lines += [Line2D([], [], color=_LAW, lw=1.5, label=f"{look.label}: law") for name, look in laws.items() if name in fitted]
    if simulated := numbers["truth"].notna().any():
        lines.append(Line2D([], [], color=_LAW, label="simulated truth", **_TRUTH))
    held_out = everything.loc[everything["kind"] == "held out", "backbone_source"].map(MARKERS).unique()
    lines += [Line2D([], [], color="0.5", marker=marker, lw=0, ms=5, label=_HELD_OUT[marker]) for marker in held_out]
    panels[-1].legend(handles=lines, fontsize=8, **BESIDE)
    return numbers if simulated else numbers.drop(columns="truth")


def _with_truth(curves: pd.DataFrame, truths: pd.DataFrame | None) -> pd.DataFrame:
    """Add the column ``truth``: the law of the true scores at the same X. It is nan if the recordings are not simulated."""
    curves = curves.assign(truth=np.nan)
    if truths is not None:
        for (family, benchmark), true in truths.groupby(["family", "benchmark_name"]):
            same = (curves["family"] == family) & (curves["benchmark_name"] == benchmark)
            curves.loc[same, "truth"] = np.interp(np.log(curves.loc[same, "x"]), np.log(true["x"]), true["score"])
    return curves


def _line(look: Look, *, fitted: bool, bold: bool) -> Line2D:
    """Return the entry of a law in the legend. It is a line, or a point if no law was fitted."""
    law: Style = {"marker": look.marker, "lw": 2.5 if bold else 1.5, "ms": 5, "mec": "white", "mew": 0.4}
    point: Style = {"marker": "o", "lw": 0, "ms": 4}
    return Line2D([], [], color=look.colour, label=look.label, **(law if fitted else point))


def draw_points(panel: Axes, points: pd.DataFrame, colour: str) -> None:
    """Draw the models of one dataset or family. Models to which a law was fitted are small, and pale if they are many.

    Other models are larger.
    """
    many = len(points) > FEW_MODELS
    for (source, fitted), rows in points.groupby(["backbone_source", "fitted"]):
        small: Style = {"s": 7 if many else 16, "alpha": 0.25 if many else 0.8, "linewidths": 0, "zorder": 1}
        large: Style = {"s": 30, "linewidths": 0.4, "edgecolors": "white", "zorder": 3}
        panel.scatter(rows["x"], rows["score"], color=colour, marker=MARKERS[str(source)], **(small if bool(fitted) else large))


def draw_optima(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per quantity at the compute optimum, with one line per dataset and the fitted models as points."""
    points, curves = tables["points"], tables["curves"]
    curves = curves[curves["family"] == ALL]
    if curves.empty:
        found = "no law of parameters and samples that rises with both"
        remedy = "leave the figure out; the log of fit_model_and_data says why"
        raise NothingToShow("figure compute_optimal", found, "enough models, of several sizes and training sets", remedy)
    looks = dataset_looks(curves["benchmark_name"], datasets)
    last = list(looks)[-1]
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), layout="constrained")
    models = points[points["benchmark_name"] == last]
    for (quantity, (column, label)), panel in zip(_OPTIMA.items(), panels, strict=True):
        panel.scatter(models["compute"], models[column], color="0.6", s=8, alpha=0.5, linewidths=0, label="Models")
        for number, (name, look) in enumerate(looks.items()):
            curve = curves[curves["benchmark_name"] == name]
            seen = curve["compute"] <= models["compute"].max()
            line: Style = {"color": look.colour, "lw": 2.5 if name == last else 1.0}
            known: Style = {"marker": look.marker, "ms": 4, "markevery": (2 * number, 20), "label": look.label}
            panel.plot(curve["compute"][seen], curve[quantity][seen], **line, **known)
            panel.plot(curve["compute"][~seen], curve[quantity][~seen], ls=":", **line)
            if name == last:
                band = curve[f"{quantity}_low"], curve[f"{quantity}_high"]
                panel.fill_between(curve["compute"], *band, color=look.colour, alpha=0.15, lw=0)
        log_scale(panel, "x")
        panel.set(xlabel=MODEL_AXES["compute"].label, ylabel=label)
        if quantity != "score":
            log_scale(panel, "y")
            panel.set_ylim(models[column].min() / AROUND, models[column].max() * AROUND)
    letter_panels(panels)
    panels[-1].legend(fontsize=8, **BESIDE)
    measured = ["family", "benchmark_name", "model_id", "compute", "x", "x2", "score"]
    shown_models = models[measured].rename(columns={"x": "n_params", "x2": "n_samples"}).assign(kind="model")
    return figure, pd.concat([shown_models, curves.assign(kind="optimum")], ignore_index=True)


def draw_published_scores(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw published scores against compute, samples and parameters. Only fitted experiments are drawn."""
    fitted = set(tables["curves"]["experiment"])
    shown = [panel for panel in PUBLISHED if fitted & set(panel[-1])]
    others = sorted(fitted - {name for panel in PUBLISHED for name in panel[-1]})
    if len(others) <= MOST_OTHERS:
        shown += [("Alignment", "X of the experiment", {name: (name, colour)}) for name, colour in colours(others, {}).items()]
    if not shown:
        expected = "an experiment with one X"
        raise NothingToShow("figure published_scores", f"{len(others)} fits", expected, "name other experiments")
    figure, grid = plt.subplots(1, len(shown), figsize=(4.2 * len(shown), 3.4), layout="constrained", squeeze=False)
    plotted = []
    for panel, (y_label, x_label, experiments) in zip(grid[0], shown, strict=True):
        for experiment, (label, colour) in experiments.items():
            if experiment in fitted:
                plotted += _draw_fit(panel, tables, experiment, label, colour)
        log_scale(panel, "x")
        panel.set(xlabel=x_label, ylabel=y_label)
        panel.margins(y=0.2)
        panel.legend(loc="upper left", fontsize=7)
    letter_panels(grid[0])
    return figure, pd.concat(plotted, ignore_index=True)


def _draw_fit(panel: Axes, tables: Tables, experiment: str, label: str, colour: str) -> list[pd.DataFrame]:
    """Draw one experiment into a panel and return the plotted numbers."""
    fit, points, curve = (tables[name][tables[name]["experiment"] == experiment] for name in ("fits", "points", "curves"))
    fit = fit.iloc[0]
    limit = f"E = {fit['E']:.2f} [{fit['E_low']:.2f}, {fit['E_high']:.2f}]" if fit["saturates"] else "no saturation"
    panel.scatter(points["x"], points["score"], s=5, color=colour, alpha=0.3, linewidths=0)
    draw_law(panel, curve, points["x"].max(), {"color": colour}, beyond="--", band=0.2, label=f"{label}: {limit}")
    return [points[["experiment", "model_id", "x", "score"]].assign(kind="model"), curve.assign(kind="fit")]
