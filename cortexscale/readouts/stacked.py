"""Modules of one architecture, one per ROI, that are evaluated together."""

import copy
from collections.abc import Sequence

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class Stacked(nn.Module):
    """A stack of G modules of one architecture. Each parameter has those of all modules along its first dimension.

    Modules share dropout masks, so that each does what it would do alone.
    """

    def __init__(self, modules: Sequence[nn.Module]):
        super().__init__()
        self.one = copy.deepcopy(modules[0])
        for name, stacked in stack_module_state(list(modules))[0].items():
            _place(self.one, name, nn.Parameter(stacked.detach()))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate all modules for one input: (G, ...)."""
        parameters = dict(self.one.named_parameters())
        return vmap(lambda of_one: functional_call(self.one, of_one, (x,)), randomness="same")(parameters)

    def module(self, g: int) -> nn.Module:
        """Copy one of the modules out of the stack."""
        alone = copy.deepcopy(self.one)
        for name, stacked in self.one.named_parameters():
            _place(alone, name, nn.Parameter(stacked.detach()[g].clone()))
        return alone


def _place(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
    owner, _, own_name = name.rpartition(".")
    setattr(module.get_submodule(owner), own_name, parameter)
