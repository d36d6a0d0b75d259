"""What the kernels ask of a device, with CUDA replaced by its answers."""

import numpy as np
import pytest
import torch

from cortexscale.kernels.device import Blocks, units_at_a_time, working_precision

CUDA = torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        *((capability, torch.float64) for capability in ((6, 0), (7, 0), (8, 0), (9, 0), (10, 0))),
        *((capability, torch.float32) for capability in ((6, 1), (7, 5), (8, 6), (8, 9), (12, 0))),
    ],
    ids=["P100", "V100", "A100", "H100", "B200", "GTX 1080", "T4", "RTX 3090", "RTX 4090", "RTX 5090"],
)
def test_float64_where_the_device_is_fast_at_it(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert working_precision(CUDA) == precision
    assert working_precision(torch.device("cpu")) == torch.float64
    assert working_precision(torch.device("mps")) == torch.float32


def test_units_fill_half_of_the_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10_000, 80_000))
    assert units_at_a_time(100, 2_000, CUDA) == 40
    assert units_at_a_time(100, 20_000, CUDA) == 1
    assert units_at_a_time(100, 2_000, torch.device("cpu")) == 512


@pytest.mark.parametrize(("length", "size", "room"), [(10, 4, 4), (10, 64, 3), (1, 8, 1), (0, 8, 8), (37, 16, 5)])
def test_every_unit_is_done_once_whatever_fits(caplog, length, size, room):
    done = np.zeros(length, dtype=int)

    def work(part):
        if part.stop - part.start > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done[part] += 1

    blocks = Blocks(size)
    blocks.run(length, work)
    assert (done == 1).all()
    assert len(caplog.records) == np.log2(size // blocks.size).round()
    caplog.clear()
    blocks.run(length, work)
    assert not caplog.records and (done == 2).all()


def test_a_unit_that_does_not_fit_alone_and_other_errors_are_raised():
    def fail(error):
        raise error

    with pytest.raises(torch.OutOfMemoryError):
        Blocks(4).run(3, lambda part: fail(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(ZeroDivisionError):
        Blocks(4).run(3, lambda part: fail(ZeroDivisionError()))
