"""The pretraining of timm and Hugging Face models, inferred from their names as far as possible."""

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
"""Number of images in each pretraining set, by its name in a timm tag. ``laion2b`` and ``in22k`` have the paper's numbers. For
``in22k``, Table S2 prints 14M, but the compute in this table implies 13.6M. The numbers for CLIP, DINOv2 and DINOv3 are from
Radford et al. (2021), Oquab et al. (2024) and Siméoni et al. (2025)."""
SUPERVISED, SELF_SUPERVISED, IMAGE_TEXT = "supervised", "self-supervised", "image-text"

_LABELLED = {"in1k", "in12k", "in21k", "in22k", "jft"}
_WORDS = {SELF_SUPERVISED: r"dino|lvd|mae|mim|jepa|beit|moco", IMAGE_TEXT: r"clip|laion|openai|webli|datacomp"}


@dataclass(frozen=True)
class Pretraining:
    """Training set, number of its images, and objective of a pretraining.

    Unknown facts are None. A later fine-tuning on labels does not count.
    """

    dataset: str | None = None
    n_samples: int | None = None
    objective: str | None = None


def pretraining_of(name: str) -> Pretraining:
    """Infer the pretraining from the name of a timm or Hugging Face model (paper, appendix B).

    In names of timm, such as ``vit_large_patch14_clip_224.openai_ft_in1k``, training sets follow the last dot. The training sets
    of a fine-tuning follow ``ft``.
    """
    tag = name.rpartition(".")[2].partition("_ft_")[0]
    dataset = next((word for word in tag.split("_") if word in SAMPLES or word in _LABELLED), None)
    by_word = (objective for objective, words in _WORDS.items() if re.search(words, name.lower()))
    objective = next(by_word, SUPERVISED if dataset in _LABELLED else None)
    return Pretraining(dataset, SAMPLES.get(dataset) if dataset else None, objective)
