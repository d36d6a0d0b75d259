"""Costs of fine-tuning: of fitting the heads of a base model, of one step, and of a whole training."""

from dataclasses import dataclass

from cortexscale.alignment.bounds import DatasetSize, fit_seconds
from cortexscale.costs import Cost, Machine
from cortexscale.features.bounds import Extraction
from cortexscale.kernels.bounds import gram_seconds
from cortexscale.models.bounds import Network
from cortexscale.readouts.bounds import token_memory
from cortexscale.study.ridge import Ridge

BACKWARD = 2
"""FLOPs of a backward pass, divided by the FLOPs of a forward pass."""
DEVICE = 80e9
"""Memory of a GPU in bytes. All heads of a training must fit into this memory."""
IMAGE_READERS = 20e9
"""Memory of libraries and of the processes that read labelled images one by one, in bytes."""


def heads(machine: Machine, dataset: DatasetSize, extraction: Extraction, ridge: Ridge) -> Cost:
    """Cost of fitting the heads of one base model to one dataset.

    start_network + N (1 / images + FLOPs / forward) for N images + 4 N d / disk_write for each layer of d activations + kernels
    and ridge as in alignment + 2 n d T / gemm for the weights of at most T units, from n training stimuli; disk: 4 d T; memory:
    the memory to extract tokens, three copies of the responses, the kernel of a subject with its factors, and two copies of the
    weights of a head
    """
    network, layers = extraction.network, extraction.layers
    # Activations are written twice, to a folder and then to one file.
    seconds = extraction.forward_seconds(machine) + 2 * extraction.activations / machine.disk_write
    for kernel in dataset.kernels:
        gram = gram_seconds(machine, ridge.precision, kernel.n_train + kernel.n_test, network.width)
        fit = fit_seconds(machine, ridge, kernel, kernel.units, n_test=kernel.n_test)
        weights = 2 * kernel.n_train * network.width * kernel.units / machine.gemm(ridge.precision)
        seconds += layers * (gram + fit + weights) + 4 * network.width * kernel.units / machine.disk_write
    disk = 4 * network.width * sum(kernel.units for kernel in dataset.kernels)
    kernels = 8 * (5 * dataset.images**2 + 3 * dataset.kernels[0].n_train * dataset.kernels[0].units)
    head = min(2 * 4 * max(dataset.units) * network.widest, DEVICE)
    memory = token_memory(extraction) + 3 * dataset.response_bytes + kernels + head
    return Cost(machine.start_network + seconds, memory, disk, resumes=True)


@dataclass(frozen=True)
class StepSize:
    """Sizes that decide the cost of a step of fine-tuning.

    Attributes:
        params: number of parameters of the network; ``trainable`` of them are trained.
        activations: number of values kept per image for the backward pass
            (:func:`cortexscale.models.counting.saved_activations`).
        features: sum of the widths of the committed layers.
        head_weights: number of weights in all heads, which is features x units, summed over subjects and ROIs.
        images: number of labelled images in a step.
        trials: number of stimuli of one subject in a step; ``stimuli`` is the number of distinct stimuli of all subjects.
        at_a_time: number of images in a forward pass (``micro_batch``); None stands for the whole batch.
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


def step_bytes(size: StepSize, *, half: bool) -> float:
    """Return the peak memory of the device in a step, in bytes.

    Weights, gradients and the two moments of AdamW are float32. So are the heads, the features that they read, and the gradients
    of these features. Activations kept for the backward pass are float32. With ``half``, these activations are bfloat16, and
    there is a bfloat16 copy of the weights.
    """
    largest = max(size.images, size.stimuli)
    at_a_time = min(largest, size.at_a_time or largest)
    weights = 4 * size.params + 12 * size.trainable + (2 * size.params if half else 0)
    heads = 4 * size.head_weights
    read = 4 * 3 * size.features * min(size.stimuli, at_a_time)
    return weights + heads + read + (2 if half else 4) * size.activations * at_a_time


def step_seconds(size: StepSize, *, forward: float, gemm: float, images: float) -> float:
    """Return the duration of a step in seconds. Images are read while the device computes.

    The rates are FLOP/s of forward passes (``forward``), FLOP/s of float32 matrix products (``gemm``), and images read per second
    (``images``).
    """
    seen = size.images + size.stimuli
    network = (1 + BACKWARD) * size.flops * seen / forward
    heads = 4 * size.head_weights * size.trials / gemm  # predictions, and the gradient of the features
    return max(network + heads, seen / images)


def finetuning(
    machine: Machine, network: Network, size: StepSize, *, steps: int, responses: float, image_arrays: float | None
) -> Cost:
    """Cost of one training.

    start_network + steps x max(images of a step / images, 3 FLOPs x images of a step / forward + 4 d T trials / gemm_float32).
    Images of a step are labelled images and distinct stimuli. All heads have at most d x T weights. Validation before and after
    the training is not counted; disk: 4 bytes per parameter; memory: libraries and labelled images, 16 bytes per parameter,
    two copies of the responses, and all heads if a GPU can hold them

    ``responses`` is the size of the responses in bytes. ``image_arrays`` is the size of labelled images in memory, or None if
    they are read one by one.
    """
    seconds = steps * step_seconds(size, forward=machine.forward, gemm=machine.gemm_float32, images=machine.images)
    loaded = IMAGE_READERS if image_arrays is None else 4e9 + 2 * image_arrays
    largest_heads = 4 * size.head_weights * network.widest / network.width
    memory = loaded + 16 * network.parameters + 2 * responses + min(largest_heads, DEVICE)
    return Cost(machine.start_network + seconds, memory, 4 * network.parameters, resumes=True)
