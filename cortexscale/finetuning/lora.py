"""Low-rank adapters (LoRA, Hu et al. 2022) from the optional package ``peft`` (paper, appendix I)."""

import importlib

import torch
from torch import nn

import cortexscale.models.vision  # noqa: F401 (peft loads transformers, which loads torchvision; vision must load it first)
from cortexscale.errors import InputError
from cortexscale.recipe import Lora


class Adapters:
    """Adapters of the linear layers of a network. Training changes only the adapters and, if the recipe says so, the classifier.

    The network keeps the names of its modules and the shapes of their outputs. An InputError is raised if ``peft`` is not
    installed, if the network has no linear layers with the names in the recipe, or if it has no classifier to train.
    """

    def __init__(self, network: nn.Module, recipe: Lora, seed: int) -> None:
        try:
            lora = importlib.import_module("peft.tuners.lora")
        except ImportError as error:
            where, remedy = "recipe key `lora`", "pip install 'cortexscale[lora]', or pip install peft"
            raise InputError(where, f"no package peft ({error})", "peft in the environment of the jobs", remedy) from None
        endings = tuple(f".{name}" for name in recipe.targets)
        targets = [name for name, module in network.named_modules() if f".{name}".endswith(endings)]
        if not targets:
            linear = sorted({name.split(".")[-1] for name, module in network.named_modules() if isinstance(module, nn.Linear)})
            where, found = f"recipe key `lora: targets`, for a {type(network).__name__}", f"no module {', '.join(recipe.targets)}"
            expected = f"names of linear layers: {', '.join(linear)}"
            raise InputError(where, found, expected, "correct the names, or fine-tune this network without `lora`")
        config = lora.LoraConfig(
            r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=recipe.dropout, target_modules=targets, bias="none"
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._model = lora.LoraModel(network, config, "default")
        if recipe.train_head:
            classifier(network).requires_grad_()

    def merge(self) -> None:
        """Add the adapters to the weights of their layers, and remove them from the network."""
        self._model.merge_and_unload()


def classifier(network: nn.Module) -> nn.Module:
    """Return the classifier of a network: the module that timm names, or otherwise the last linear layer.

    If there is no such module, raise an InputError.
    """
    found: nn.Module | None = getattr(network, "get_classifier", lambda: None)()
    found = found or next((module for module in reversed(list(network.modules())) if isinstance(module, nn.Linear)), None)
    if found is None or not any(True for _ in found.parameters()):
        remedy = "set `lora: {train_head: false}` in the recipe"
        raise InputError(f"classifier of a {type(network).__name__}", "none", "a last linear layer", remedy)
    return found
