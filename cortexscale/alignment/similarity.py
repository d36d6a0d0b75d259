"""RSA and CKA between a committed layer and the responses of a subject and ROI (paper, appendix on other metrics).

``c`` (classical) compares the features, ``ve`` (voxel encoding) the responses that ridge predicts from them; both with the
recorded responses, not noise-normalised. Predictions for training stimuli are those of the outer folds that held them out.
"""

from collections.abc import Sequence

import numpy as np
import torch

from cortexscale.alignment.targets import Targets
from cortexscale.kernels.gram import GramMatrix
from cortexscale.kernels.ridge_problem import NestedRidge
from cortexscale.kernels.similarity import Geometry, cka, feature_geometry, response_geometry, rsa

SPLITS = ("train", "test")
MEASURES = (rsa, cka)
COLUMNS = [f"{measure.__name__}_{kind}_{split}" for measure in MEASURES for kind in ("c", "ve") for split in SPLITS]


def similarity_columns(target: Targets, kernel: GramMatrix, fit: NestedRidge, splits: Sequence[str]) -> dict[str, np.ndarray]:
    """``rsa_{c,ve}_{train,test}`` and ``cka_{c,ve}_{train,test}`` of every group of ``target``; nan for other splits.

    Args:
        target: with prepared responses.
        kernel: of the training stimuli followed by the test stimuli.
        fit: with predictions of the splits.
        splits: ``train``, ``test``, both or none.
    """
    columns = {column: np.full(len(target.groups), np.nan) for column in COLUMNS}
    n, device = len(target.train_rows), kernel.K.device
    rows = {"train": slice(0, n), "test": slice(n, None)}
    predictions = {"train": fit.heldout, "test": fit.test}
    for split in splits:
        features = feature_geometry(kernel.subset(rows[split]))
        for group in range(len(target.groups)):
            neural = _on(device, target.geometry(group, split))
            encoded = response_geometry(torch.from_numpy(predictions[split][:, fit.group == group]).to(device))
            for kind, model in (("c", features), ("ve", encoded)):
                for measure in MEASURES:
                    columns[f"{measure.__name__}_{kind}_{split}"][group] = measure(model, neural)
    return columns


def predicted_similarity(target: Targets, group: int, predicted: np.ndarray) -> dict[str, float]:
    """The columns of :func:`similarity_columns` for one group whose test responses are predicted by a readout of any kind.

    Args:
        target: without prepared responses all are nan, as are those of other splits and of features.
        predicted: (m, units) test responses.
    """
    columns = dict.fromkeys(COLUMNS, np.nan)
    if target.prepared:
        neural, encoded = target.geometry(group, "test"), response_geometry(torch.from_numpy(predicted).double())
        columns |= {f"{measure.__name__}_ve_test": measure(encoded, neural) for measure in MEASURES}
    return columns


def _on(device: torch.device, geometry: Geometry) -> Geometry:
    return Geometry(geometry.distance_ranks.to(device), geometry.products.to(device))
