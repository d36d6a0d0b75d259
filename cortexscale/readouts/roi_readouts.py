"""Readouts of several ROIs from one layer. Each ROI has a trunk, and each subject and ROI has a head."""

import copy
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from cortexscale.models.counting import n_parameters
from cortexscale.models.training.order import seed_of
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.tokens import Tokens
from cortexscale.readouts.trials import Trials
from cortexscale.readouts.trunks import LayerGate, build_head, build_trunk

Built = TypeVar("Built", bound=nn.Module)


class Stacked(nn.Module):
    """A stack of G modules of the same architecture. The first dimension of each parameter runs over the modules.

    All modules have the same dropout masks. Each module therefore has the same output as if it were evaluated alone.
    """

    def __init__(self, modules: Sequence[nn.Module]):
        super().__init__()
        self.one = copy.deepcopy(modules[0])
        for name, stacked in stack_module_state(list(modules))[0].items():
            _place(self.one, name, nn.Parameter(stacked.detach()))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate all modules on the same input. The output is (G, ...)."""
        parameters = dict(self.one.named_parameters())
        return vmap(lambda of_one: functional_call(self.one, of_one, (x,)), randomness="same")(parameters)

    def module(self, g: int) -> nn.Module:
        """Return a copy of one module of the stack."""
        alone = copy.deepcopy(self.one)
        for name, stacked in self.one.named_parameters():
            _place(alone, name, nn.Parameter(stacked.detach()[g].clone()))
        return alone


def _place(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
    owner, _, own_name = name.rpartition(".")
    setattr(module.get_submodule(owner), own_name, parameter)


class Head(nn.Module):
    """A head predicts the z-scored responses of one subject's units in an ROI.

    Responses are z-scored by their mean and standard deviation over the training stimuli. The authors z-scored each split by its
    own statistics, but the mean and standard deviation of new responses are not known at the time of prediction. Pearson r is the
    same either way.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, linear: nn.Module, responses: np.ndarray):
        super().__init__()
        self.linear = linear
        self.register_buffer("mean", torch.from_numpy(responses.mean(axis=0, dtype=np.float64)).float())
        self.register_buffer("sd", torch.from_numpy(responses.std(axis=0, dtype=np.float64) + 1e-6).float())

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features)

    def loss(self, features: Tensor, responses: Tensor) -> Tensor:
        """Compute the mean squared error over stimuli and units of the z-scored ``responses`` (B, units)."""
        return F.mse_loss(self(features).float(), (responses - self.mean) / self.sd)

    def responses(self, features: Tensor) -> Tensor:
        """Predict responses (B, units) on the scale of the recording, which is not z-scored."""
        return self(features) * self.sd + self.mean


class RoiReadouts(nn.Module):
    """Readouts of G ROIs for subjects that have all of these ROIs.

    ROIs share no parameters, so each ROI is trained as it would be alone. Initial values depend on the seed and the names of the
    subject and ROI. ``widths`` has the number of channels of each token.
    """

    def __init__(self, recipe: ReadoutRecipe, widths: Sequence[int], trials: Sequence[Trials], rois: Sequence[str], seed: int):
        super().__init__()
        self.recipe, self.widths, self.rois = recipe, tuple(widths), list(rois)
        self.subjects = [subject.subject for subject in trials]
        trunks = [_seeded(build_trunk, seed, roi)(recipe, widths) for roi in rois]
        n_features = trunks[0].n_features
        self.trunks = Stacked(trunks)
        self.heads = nn.ModuleList()
        for subject in trials:
            units = [subject.units[roi] for roi in rois]
            linears = [
                _seeded(build_head, seed, roi, subject.subject)(recipe, n_features, len(columns))
                for roi, columns in zip(rois, units, strict=True)
            ]
            heads = [Head(linear, subject.responses[:, columns]) for linear, columns in zip(linears, units, strict=True)]
            self.heads.append(nn.ModuleList(heads))

    def heads_of(self, subject: int) -> list[Head]:
        """Return the heads of a subject, one for each ROI."""
        return list(cast(Iterable[Head], self.heads[subject]))

    def losses(self, subject: int, tokens: Tensor, responses: Sequence[Tensor]) -> Tensor:
        """Compute the loss of each ROI, (G,), from a batch of tokens (B, T, C) and the responses (B, units) of each ROI."""
        features = self.trunks(tokens)
        heads = zip(self.heads_of(subject), features, responses, strict=True)
        return torch.stack([head.loss(x, y) for head, x, y in heads])

    def clip_gradients(self, subject: int, limit: float) -> Tensor:
        """Shorten the gradient of each ROI to the length ``limit`` if it is longer. Return the lengths (G,) before shortening.

        The gradient of an ROI covers the parameters of its trunk and of the subject's head.
        """
        shared = [p.grad for p in self.trunks.parameters() if p.grad is not None]
        own = [[p.grad for p in head.parameters() if p.grad is not None] for head in self.heads_of(subject)]
        squares = torch.stack([sum((grad.square().sum() for grad in grads), torch.tensor(0.0)) for grads in own])
        squares += sum(grad.flatten(1).square().sum(dim=1) for grad in shared)
        lengths = squares.sqrt()
        scale = (limit / (lengths + 1e-6)).clamp(max=1)
        for grad in shared:
            grad.mul_(scale.view(-1, *[1] * (grad.ndim - 1)))
        for grads, factor in zip(own, scale, strict=True):
            for grad in grads:
                grad.mul_(factor)
        return lengths

    def predict(self, tokens: Tokens, rows: np.ndarray, subject: str) -> dict[str, np.ndarray]:
        """Predict the responses to some stimuli for each ROI, (len(rows), units) float32, on the scale of the recording."""
        heads = self.heads_of(self.subjects.index(subject))
        predicted: list[list[np.ndarray]] = [[] for _ in self.rois]
        self.eval()
        with torch.inference_mode():
            for batch in self._batches(tokens, rows):
                for parts, head, features in zip(predicted, heads, self.trunks(batch), strict=True):
                    parts.append(head.responses(features).cpu().numpy())
        return {roi: np.concatenate(parts) for roi, parts in zip(self.rois, predicted, strict=True)}

    def gates(self, tokens: Tokens, rows: np.ndarray) -> np.ndarray:
        """Average the gates of layer-gate readouts over some stimuli. The result is (G, L)."""
        alone = [cast(LayerGate, self.trunks.module(g)).eval() for g in range(len(self.rois))]
        total = torch.zeros(len(alone), len(self.widths), dtype=torch.float64, device=self._device)
        with torch.inference_mode():
            for batch in self._batches(tokens, rows):
                total += torch.stack([trunk.gates(batch).double().sum(dim=0) for trunk in alone])
        return (total / len(rows)).cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return self.heads_of(0)[0].mean.device

    def _batches(self, tokens: Tokens, rows: np.ndarray) -> Iterator[Tensor]:
        for start in range(0, len(rows), self.recipe.batch):
            yield torch.from_numpy(tokens.read(rows[start : start + self.recipe.batch])).to(self._device).float()

    def n_parameters(self, roi: str) -> int:
        """Count the parameters of an ROI, in its trunk and in its heads for all subjects."""
        g = self.rois.index(roi)
        trunk = sum(parameter[0].numel() for parameter in self.trunks.parameters())
        return trunk + sum(n_parameters(self.heads_of(subject)[g]) for subject in range(len(self.subjects)))


def _seeded(build: Callable[..., Built], seed: int, *names: str) -> Callable[..., Built]:
    """Wrap ``build`` so that torch's random state depends on the seed and the names while it runs.

    Afterwards the random state is restored.
    """

    def built(*arguments: object) -> Built:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed_of(seed, *(zlib.crc32(name.encode()) for name in names)))
            return build(*arguments)

    return built
