"""What models of the hubs were pretrained on, as far as their names tell."""

import re
from dataclasses import dataclass

SAMPLES = {
    "in1k": 1_281_167,
    "in22k": 13_600_000,
    "laion2b": 2_200_000_000,
    "openai": 400_000_000,
    "lvd142m": 142_000_000,
    "lvd1689m": 1_689_000_000,
}
"""Images of the data sets by their name in a timm tag: ``laion2b`` and ``in22k`` as the paper counts them (Table S2; it prints
14M for the latter, but a compute that is of 13.6M), CLIP's of Radford et al. (2021), DINOv2's of Oquab et al. (2024), DINOv3's
of Siméoni et al. (2025)."""
SUPERVISED, SELF_SUPERVISED, IMAGE_TEXT = "supervised", "self-supervised", "image-text"

_LABELLED = {"in1k", "in12k", "in21k", "in22k", "jft"}
_WORDS = {SELF_SUPERVISED: r"dino|lvd|mae|mim|jepa|beit|moco", IMAGE_TEXT: r"clip|laion|openai|webli|datacomp"}


@dataclass(frozen=True)
class Pretraining:
    """Data set, number of its images and objective; None where the name does not tell.

    A later fine-tuning on labels is not counted, nor does it change the objective.
    """

    dataset: str | None = None
    n_samples: int | None = None
    objective: str | None = None


def told_by(name: str) -> Pretraining:
    """The pretraining that the name of a timm or Hugging Face model tells (paper, appendix B).

    Args:
        name: such as ``vit_large_patch14_clip_224.openai_ft_in1k``: in timm, data sets follow the last dot, and those of a
            fine-tuning ``ft``.
    """
    tag = name.rpartition(".")[2].partition("_ft_")[0]
    dataset = next((word for word in tag.split("_") if word in SAMPLES or word in _LABELLED), None)
    by_word = (objective for objective, words in _WORDS.items() if re.search(words, name.lower()))
    objective = next(by_word, SUPERVISED if dataset in _LABELLED else None)
    return Pretraining(dataset, SAMPLES.get(dataset), objective)
