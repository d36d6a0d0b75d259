"""Training with one process per GPU. torchrun starts the processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from cortexscale.kernels.device import best_device


@dataclass(frozen=True)
class Processes:
    """The device and the rank of this process of a training, and the number of processes."""

    device: torch.device
    rank: int = 0
    count: int = 1

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Average values over all processes. Every process gets the result."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values / self.count


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that torchrun started. Without torchrun, this process is the only one."""
    device = best_device()
    if "LOCAL_RANK" not in os.environ:
        yield Processes(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def torchrun(processes: int, module: str, *arguments: str) -> None:
    """Run a module in several processes on this machine."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    if subprocess.run([*run, "--module", module, *arguments], check=False).returncode:
        sys.exit(1)
