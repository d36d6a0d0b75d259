"""Memory and time of a step of fine-tuning. Arithmetic only: the plan and the estimate load this module."""

from dataclasses import dataclass

FEW_STEPS = 10
"""An epoch of at most so many steps has its last, partial batch, as in the authors' code; a longer one drops it."""
BACKWARD = 2
"""FLOPs of a backward pass over those of the forward pass."""


@dataclass(frozen=True)
class StepSize:
    """What a step of fine-tuning is made of.

    Attributes:
        params: of the network; ``trainable`` of them move.
        flops: of one forward pass of one picture.
        activations: numbers that one picture leaves for the backward pass (:mod:`cortexscale.finetuning.activations`).
        features: widths of the committed layers, summed over layers.
        head_weights: features x units, summed over subjects and ROIs.
        images: labelled images of a step.
        trials: stimuli of one subject in a step; ``stimuli``: distinct ones of all subjects.
        at_a_time: pictures of a forward pass (``micro_batch``); None for all of a batch.
    """

    params: float
    trainable: float
    flops: float
    activations: float
    features: float
    head_weights: float
    images: int
    trials: int
    stimuli: int
    at_a_time: int | None = None


def epoch_steps(samples: int, neural_batch: int) -> int:
    """Steps of one pass over the stimuli of a subject."""
    whole, rest = divmod(samples, neural_batch)
    return whole + (rest > 0) if whole <= FEW_STEPS else whole


def step_bytes(size: StepSize, *, half: bool) -> float:
    """Peak memory of the device.

    Weights, gradients and the two moments of AdamW are float32, and so are the heads and the features that they read with their
    gradients; what a picture leaves for the backward pass is float32, or bfloat16 where ``half``, beside a bfloat16 copy of the
    weights.
    """
    largest = max(size.images, size.stimuli)
    at_a_time = min(largest, size.at_a_time or largest)
    weights = 4 * size.params + 12 * size.trainable + (2 * size.params if half else 0)
    heads = 4 * size.head_weights
    read = 4 * 3 * size.features * min(size.stimuli, at_a_time)
    return weights + heads + read + (2 if half else 4) * size.activations * at_a_time


def step_seconds(size: StepSize, *, forward: float, gemm: float, images: float) -> float:
    """Seconds of a step, in which pictures are read while the device computes.

    Args:
        forward: FLOP/s of forward passes; ``gemm``: FLOP/s of float32 matrix products; ``images``: pictures/s that are read.
    """
    pictures = size.images + size.stimuli
    network = (1 + BACKWARD) * size.flops * pictures / forward
    heads = 4 * size.head_weights * size.trials / gemm  # predictions, and the gradient of the features
    return max(network + heads, pictures / images)
