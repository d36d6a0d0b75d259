"""Adversarial attacks for training."""

from collections.abc import Callable

import torch
from torch import nn

from cortexscale.models.normalisation import MEAN, STD
from cortexscale.recipe import Attack


def ffgsm(
    network: nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    attack: Attack,
) -> torch.Tensor:
    """Attack images by one signed gradient step from a random start (FFGSM; Wong, Rice & Kolter 2020).

    The gradient is computed in eval mode, so that the attack does not change running statistics and draws no dropout.

    Args:
        network: the network that is attacked.
        inputs: (n, 3, height, width), normalised.
        targets: second argument of ``loss``.
        loss: function of network output and ``targets``.
        attack: sizes in levels of 255.

    Returns:
        (n, 3, height, width), within ``attack.eps`` of ``inputs`` and between black and white.
    """
    mean, std = (inputs.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    black, white = -mean / std, (1 - mean) / std
    eps, alpha = attack.eps / 255 / std, attack.alpha / 255 / std

    def allowed(moved: torch.Tensor) -> torch.Tensor:
        return moved.clamp(inputs - eps, inputs + eps).clamp(black, white)

    start = allowed(inputs + eps * torch.empty_like(inputs).uniform_(-1, 1)).requires_grad_()
    training = network.training
    network.eval()
    (gradient,) = torch.autograd.grad(loss(network(start), targets), start)
    network.train(training)
    return allowed(start.detach() + alpha * gradient.sign())
