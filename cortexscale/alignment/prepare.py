"""Preparation of responses: results that need no model, made once per stimulus set and used for every layer of every model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import torch

from cortexscale.alignment.targets import Targets
from cortexscale.files import whole_file
from cortexscale.kernels.device import best_device
from cortexscale.kernels.similarity import roi_geometries


def prepare_responses(targets: Sequence[Targets], splits: Sequence[str], path: Path | str, made_by: Mapping[str, Any]) -> None:
    """Write the geometry of every subject and ROI in ``splits``, and the factors of groups with far more units than stimuli.

    The layout of the file is ``<dataset>/<subject>/<roi>/<split>/{distance_ranks, products}``, (n (n - 1) / 2,) each, and
    ``<dataset>/<subject>/<roi>/factor``, (n_train, r), of :meth:`~cortexscale.kernels.responses.Responses.factor`.
    """
    device = best_device()
    with whole_file(path) as part, h5py.File(part, "w") as file:
        file.attrs["made_by"] = json.dumps(made_by, default=str)
        for target in targets:
            places = [file.create_group(target.place(group)) for group in range(len(target.groups))]
            for group, place in enumerate(places):
                if target.responses.is_wide(group):
                    place["factor"] = target.responses.factor(group, device).cpu().numpy()
            for split in splits:
                responses = torch.from_numpy(getattr(target, split)).to(device, torch.float64)
                for place, geometry in zip(places, roi_geometries(responses, target.members), strict=True):
                    place[f"{split}/distance_ranks"] = geometry.distance_ranks.cpu().numpy()
                    place[f"{split}/products"] = geometry.products.cpu().numpy()
