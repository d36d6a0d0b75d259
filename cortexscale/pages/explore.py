"""The explore page, which shows every score and every scaling law of a study in a browser."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from plotly.offline import get_plotlyjs

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.catalogue.readouts import READOUTS, figure_name
from cortexscale.figures.content import Datasets
from cortexscale.figures.style import FAMILIES, Look, colours, dataset_looks
from cortexscale.pages.parts import LABELS, UNIT, distances, finetuning_part, laws, mapping_part, pretraining_part
from cortexscale.pages.template import render
from cortexscale.study.fits import AverageSettings


def explore_data(
    tables: dict[str, pd.DataFrame],
    fits: dict[str, dict[str, pd.DataFrame]],
    datasets: Datasets,
    study: str,
    averages: AverageSettings,
) -> dict[str, Any]:
    """Collect the data of the page as values that JSON can store.

    Args:
        tables: the tables ``pretraining``, ``finetuning`` and ``mapping``. Tables that the study does not make are left out.
        fits: name of a fit, such as ``compute`` or ``compute.rsa_c_test`` -> tables ``fits``, ``curves`` and ``points``.
        averages: settings of averages over ROIs and datasets. They must be those of the fits.
    """
    parts, labels = {}, {name: dataset.label for name, dataset in datasets.items()}
    if "pretraining" in tables:
        parts["pretraining"] = pretraining_part(tables["pretraining"], averages)
    if "finetuning" in tables:
        parts["finetuning"] = finetuning_part(tables["finetuning"], averages, labels)
    if "mapping" in tables:
        parts["mapping"] = mapping_part(tables["mapping"], averages)
    for name, fit in fits.items():
        axis, _, metric = name.partition(".")
        if axis in MODEL_AXES:
            into = parts["pretraining"]["axes"][axis].setdefault("distance", {})
            into[metric or ALIGNMENT] = distances(fit["points"], parts["pretraining"]["id"])
    places = dict.fromkeys(place for part in parts.values() for of in part["scores"].values() for place in of)
    split = [place.partition("/") for place in places]
    looks = dataset_looks((name for name, _, _ in split), datasets)
    return {
        "study": study,
        "unit": UNIT,
        "metrics": LABELS,
        "benchmarks": {name: look.label for name, look in looks.items()},
        "rois": {name: [roi for of, _, roi in split if of == name and roi] for name in looks if name != AVERAGE},
        "colours": _colours(parts, looks),
        "parts": parts,
        "laws": [law for fit in fits.values() for law in laws(fit["fits"], fit["curves"], labels)],
    }


def explore_page(data: dict[str, Any]) -> str:
    """Return the HTML of the page, which contains the plotting library and the data."""
    return render("explore.html", data=data, library=get_plotlyjs())


def _colours(parts: dict[str, Any], looks: Mapping[str, Look]) -> dict[str, str]:
    """Return name on the page -> colour, for datasets, families and readouts. Figures have the same colours."""
    names = dict.fromkeys(name for part in parts.values() for name in part["family"]["of"])
    known = FAMILIES | {figure_name(readout): colour for readout, colour in READOUTS.items()}
    known |= {look.label: look.colour for look in looks.values()}
    return colours(dict.fromkeys([*(look.label for look in looks.values()), *names]), known)
