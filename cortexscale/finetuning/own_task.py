"""Check that a base model classifies labelled images: its outputs must be the classes of the images, in the same order."""

import json
import logging
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import binom
from torch import Tensor

from cortexscale.errors import InputError
from cortexscale.models.backbone import GREY, Backbone
from cortexscale.models.training.data import LabelledImages
from cortexscale.models.training.loop import classes_named

log = logging.getLogger(__name__)

GUESSED = 1e-3
"""An accuracy that guessing reaches with a larger probability than this counts as guessing."""
ENOUGH = 100
"""An accuracy that is too low is an error if it was measured on at least this many images. On fewer images it is only a warning,
because by chance even a good network could be no better than guessing."""
EXPECTED = 0.5
"""A model must reach at least this fraction of the accuracy on its card. On new images of the same task, accuracy falls less: on
ImageNetV2, for example, by about a sixth."""
MANY = 5000
"""Largest number of classes for which other orders of the classes are tried."""


def require_outputs(backbone: Backbone, n_classes: int, where: Path | str, base: str) -> None:
    """Raise an InputError if a network does not put out one number per class, or has fewer outputs than images have classes."""
    device = next(backbone.network.parameters()).device
    with torch.inference_mode():
        output = backbone.network.eval()(backbone.transform(GREY)[None].to(device))
    if not isinstance(output, Tensor) or output.ndim != 2:
        found = f"an output of the shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
        remedy = "choose a base model with a classifier, or set `lambda_img: 0`"
        raise InputError(f"output of the base model {base}", found, "a number per image and class, (images, classes)", remedy)
    if n_classes > output.shape[1]:
        remedy = "give the images that the base model was trained on, with its classes"
        raise InputError(where, f"{n_classes:,} classes", f"at most the {output.shape[1]:,} outputs of {base}", remedy)


def accuracy_before(
    backbone: Backbone, images: LabelledImages, where: Path | str, base: str, reported: float | None = None, *, workers: int = 0
) -> float:
    """Return the top-1 accuracy of a base model on validation images.

    An InputError is raised if the accuracy is not better than guessing, is below half of the ``reported`` accuracy, or would be
    higher with the classes in another order. With fewer than :data:`ENOUGH` images there is only a warning.
    """
    named, n = classes_named(backbone.network, images, transform=backbone.transform, workers=workers), len(images.labels)
    found = int((named == images.labels).sum()) / n
    most_frequent, reordered = np.bincount(images.labels).max() / n, reordered_accuracy(named, images.labels)
    if found + _gain(n) < reordered:
        expected = f"an accuracy that no other order of the classes improves; another order gives {reordered:.1%}"
    elif binom.sf(round(found * n) - 1, n, most_frequent) > GUESSED:
        expected = f"more than the {most_frequent:.2%} that guessing reaches"
    elif reported is not None and found < EXPECTED * reported:
        expected = f"about the {reported:.1%} of its card"
    else:
        return found
    error = InputError(
        where,
        f"an accuracy of {base} of {found:.2%} on {n:,} images of {images.n_classes:,} classes",
        expected,
        "the order of the classes or the preprocessing differs from that of its training. Name the class folders so that they "
        "sort as its outputs do (docs/images.md), correct the transform of the model, or set `lambda_img: 0` if it never had "
        "this task",
    )
    if n >= ENOUGH:
        raise error
    log.warning("%s", error)
    return found


def reordered_accuracy(named: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy with the classes in the best order.

    ``named`` (n,) has predicted classes, and ``labels`` (n,) true classes. The order for each half of the images is chosen on the
    other half. If it were chosen on the same images, a network that errs often would always seem better with a wrong order. With
    more than :data:`MANY` classes, no other order is tried.
    """
    n = int(max(named.max(), labels.max())) + 1
    if n > MANY:
        return float((named == labels).mean())
    order, hits = np.argsort(labels, kind="stable"), 0
    for chosen, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        counts = np.zeros((n, n))
        np.add.at(counts, (named[chosen], labels[chosen]), 1)
        counts[np.diag_indices(n)] += 0.5  # of equally good orders, choose the one that changes least
        _, label_of = linear_sum_assignment(counts, maximize=True)
        hits += int((label_of[named[other]] == labels[other]).sum())
    return hits / len(labels)


def _gain(n: int) -> float:
    """Return the largest gain in accuracy that another order of classes can have by chance.

    It is five percentage points, or three standard errors of a difference if these are larger.
    """
    return max(0.05, 3 * (0.5 / n) ** 0.5)


def reported_accuracy(report: Path | None) -> float | None:
    """Read the accuracy from a training report. Without a report, return None."""
    return json.loads(report.read_text(encoding="utf-8"))["task_evaluation_acc"] if report else None
