"""timm and torchvision are imported without torch.compile, which works all the same afterwards."""

import subprocess
import sys

import pytest

from cortexscale.models.vision import _disabled

SESSION = """
import sys
from cortexscale.models.vision import timm, torchvision
assert "torch._dynamo" not in sys.modules

import torch
assert torch.compiler.disable.__module__ == "torch.compiler"
network = torch.nn.Linear(2, 2)
network(torch.ones(1, 2)).sum().backward()
torch.optim.AdamW(network.parameters()).step()
x = torch.randn(3, 2)
assert torch.equal(torch.compile(network, backend="eager")(x), network(x))

import torch._dynamo.utils as utils
assert torchvision.ops.roi_align.__globals__["is_compile_supported"]("cpu") == utils.is_compile_supported("cpu")
"""


@pytest.mark.slow
def test_torch_compile_is_loaded_when_it_is_used_and_not_before():
    run = subprocess.run([sys.executable, "-c", SESSION], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_what_torch_compile_shall_leave_alone_runs():
    @_disabled
    def double(x: int, *, plus: int = 0) -> int:
        return 2 * x + plus

    assert double(2, plus=1) == 5 and double.__name__ == "double"
