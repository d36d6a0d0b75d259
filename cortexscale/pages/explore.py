"""The explore page: every score of a study, and its scaling laws, to look at in a browser."""

from typing import Any

import pandas as pd
from plotly.offline import get_plotlyjs

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.catalogue.readouts import READOUTS, figure_name
from cortexscale.figures.style import BENCHMARKS, FAMILIES, colours
from cortexscale.pages.parts import LABELS, UNIT, distances, finetuning_part, laws, mapping_part, pretraining_part
from cortexscale.pages.template import render


def explore_data(
    tables: dict[str, pd.DataFrame],
    fits: dict[str, dict[str, pd.DataFrame]],
    labels: dict[str, str],
    study: str,
    composite_rois: bool,
) -> dict[str, Any]:
    """What the page shows, as plain values.

    Args:
        tables: those of ``pretraining``, ``finetuning`` and ``mapping`` that the study has.
        fits: name of a fit (``compute``, ``compute.rsa_c_test``, ``mapping``, ...) -> its ``fits``, ``curves`` and ``points``.
        labels: of datasets.
        composite_rois: count ROIs that hold others, as the fits do.
    """
    parts = {}
    if "pretraining" in tables:
        parts["pretraining"] = pretraining_part(tables["pretraining"], composite_rois)
    if "finetuning" in tables:
        parts["finetuning"] = finetuning_part(tables["finetuning"], composite_rois, labels)
    if "mapping" in tables:
        parts["mapping"] = mapping_part(tables["mapping"], composite_rois)
    for name, fit in fits.items():
        axis, _, metric = name.partition(".")
        if axis in MODEL_AXES:
            into = parts["pretraining"]["axes"][axis].setdefault("distance", {})
            into[metric or ALIGNMENT] = distances(fit["points"], parts["pretraining"]["id"])
    places = dict.fromkeys(place for part in parts.values() for of in part["scores"].values() for place in of)
    datasets = dict.fromkeys(place.split("/")[0] for place in places if place != "average")
    datasets = {name: labels.get(name, name) for name in sorted(datasets, key=[*labels, *datasets].index)}
    return {
        "study": study,
        "unit": UNIT,
        "metrics": LABELS,
        "benchmarks": datasets | {"average": "Average"},
        "rois": {name: [place.split("/", 1)[1] for place in places if place.startswith(f"{name}/")] for name in datasets},
        "colours": _colours(parts, datasets),
        "parts": parts,
        "laws": [law for fit in fits.values() for law in laws(fit["fits"], fit["curves"], labels)],
    }


def explore_page(data: dict[str, Any]) -> str:
    """Make the page, with the plotting library and the data inside."""
    return render("explore.html", data=data, library=get_plotlyjs())


def _colours(parts: dict[str, Any], datasets: dict[str, str]) -> dict[str, str]:
    """Of families, readouts and benchmarks, as in the figures."""
    names = dict.fromkeys(name for part in parts.values() for name in part["family"]["of"])
    known = FAMILIES | {figure_name(readout): colour for readout, colour in READOUTS.items()} | BENCHMARKS
    return colours(dict.fromkeys([*datasets.values(), *names]), known)
