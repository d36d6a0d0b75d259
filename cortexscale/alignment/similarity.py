"""RSA and CKA between a committed layer and the responses in one ROI of one subject (paper, appendix on other metrics).

Recorded responses are compared with the features (``c``, classical), or with the responses that ridge predicts from the features
(``ve``, voxel encoding). Neither score is noise-normalised. On the training stimuli, each outer fold is predicted from the other
folds. The columns of these scores are ``rsa_ve_train_held_out`` and ``cka_ve_train_held_out``. For the
published ``rsa_ve_train`` and ``cka_ve_train``, in contrast, ridge predicts the stimuli that it was fitted to.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import torch

from cortexscale.alignment.targets import Targets
from cortexscale.kernels.gram import GramMatrix
from cortexscale.kernels.similarity import Geometry, cka, feature_geometry, response_geometry, rsa

SplitName = Literal["train", "test"]
SPLITS = get_args(SplitName)
MEASURES = (rsa, cka)


def column_of(measure: Callable[[Geometry, Geometry], float], kind: str, split: SplitName) -> str:
    """Return the name of the column of a score, such as ``rsa_c_test`` or ``cka_ve_train_held_out``."""
    held_out = "_held_out" if (kind, split) == ("ve", "train") else ""
    return f"{measure.__name__}_{kind}_{split}{held_out}"


COLUMNS = [column_of(measure, kind, split) for measure in MEASURES for kind in ("c", "ve") for split in SPLITS]


def similarity_columns(
    target: Targets, predicted: Mapping[str, np.ndarray | None], splits: Sequence[SplitName], kernel: GramMatrix | None
) -> dict[str, np.ndarray]:
    """Compute RSA and CKA of every group of ``target``, (groups,) each. Scores that are not asked for or not defined are nan.

    ``predicted`` has the predicted responses (stimuli, pairs) of each split. ``kernel`` is the kernel of the training stimuli
    followed by the test stimuli. Without it, the features are not compared.
    """
    columns = {column: np.full(len(target.groups), np.nan) for column in COLUMNS}
    group_of_pair, n = np.nonzero(target.members)[0], len(target.train_rows)
    rows, device = {"train": slice(0, n), "test": slice(n, None)}, kernel.K.device if kernel else torch.device("cpu")
    for split in splits:
        of_split = predicted[split]
        assert of_split is not None, f"similarity of the {split} split needs its predictions"
        compared = {"c": feature_geometry(kernel.subset(rows[split]))} if kernel else {}
        for group in range(len(target.groups)):
            neural = _on(device, target.geometry(group, split))
            of_group = torch.from_numpy(of_split[:, group_of_pair == group])
            compared["ve"] = response_geometry(of_group.to(device))
            for kind, model in compared.items():
                for measure in MEASURES:
                    columns[column_of(measure, kind, split)][group] = measure(model, neural)
    return columns


def _on(device: torch.device, geometry: Geometry) -> Geometry:
    return Geometry(geometry.distance_ranks.to(device), geometry.products.to(device))
