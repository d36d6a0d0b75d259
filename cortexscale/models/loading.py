"""Batches of images that worker processes read. If the workers fail, this process reads the remaining batches."""

import logging
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from cortexscale.errors import InputError

log = logging.getLogger(__name__)

Sample = tuple[Tensor, int]
"""The network input that was made from an image, and the label of the image."""


def loaded(
    sample: Callable[[Any], Sample], batches: Iterable[Sequence[Any]], workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs (n, ...) and labels (n,) for each batch, on the device. A batch is a list of places.

    ``sample`` makes the sample of a place, such as the row of an image. It runs in ``workers`` processes, or in this process if
    ``workers`` is 0. If processes cannot be started, are killed, or have too little shared memory, this process makes the samples
    that are left, and a warning says why. An InputError is raised if ``sample`` raises it, or if the inputs of a batch differ in
    size.
    """
    samples, places = _Samples(sample), iter(batches)
    handed_out: deque[list[Any]] = deque()
    broken: list[Exception] = []

    def noted() -> Iterator[list[Any]]:
        try:
            for batch in places:
                handed_out.append(list(batch))
                yield handed_out[-1]
        except Exception as error:  # an error of the batches themselves, and not of the processes
            broken.append(error)
            raise

    def on_device(batch: tuple[Tensor, list[int]] | InputError) -> tuple[Tensor, Tensor]:
        if isinstance(batch, InputError):
            raise batch
        inputs, labels = batch
        return inputs.to(device, non_blocking=True), torch.tensor(labels).to(device, non_blocking=True)

    if workers:
        pinned = device.type == "cuda"
        loader = DataLoader(samples, batch_sampler=noted(), collate_fn=_stacked, num_workers=workers, pin_memory=pinned)
        received: Iterator[Any] | None = None
        while True:
            try:
                if received is None:
                    with _quiet_deaths():
                        received = iter(loader)
                batch = next(received)
            except StopIteration:
                return
            except Exception as error:  # an error of another cause occurs again below, in this process
                if broken:
                    raise broken[0] from None
                log.warning("%s", _why_alone(error))
                break
            handed_out.popleft()
            yield on_device(batch)
        received = None  # ends the other processes
    for places_of_batch in chain(handed_out, places):
        yield on_device(_stacked([samples[place] for place in places_of_batch]))


class _Samples(Dataset[Sample | InputError]):
    """Samples by place.

    If a sample fails, its InputError is returned and not raised, because a worker passes on raised errors as text.
    """

    def __init__(self, sample: Callable[[Any], Sample]) -> None:
        self.sample = sample

    def __getitem__(self, place: Any) -> Sample | InputError:
        try:
            return self.sample(place)
        except InputError as error:
            return error


def _stacked(samples: list[Sample | InputError]) -> tuple[Tensor, list[int]] | InputError:
    """Stack inputs. A worker process stacks them in shared memory. Labels stay numbers, which need no shared memory."""
    made: list[Sample] = []
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
        made.append(sample)
    inputs, labels = zip(*made, strict=True)
    if len(sizes := {tuple(each.shape) for each in inputs}) > 1:
        found = f"inputs of the sizes {', '.join(' x '.join(map(str, size)) for size in sorted(sizes)[:3])}"
        return InputError("the transform of a model", found, "the same size for every image", "resize and crop in the transform")
    return default_collate(list(inputs)), list(labels)


@contextmanager
def _quiet_deaths() -> Iterator[None]:
    """Keep torch from interrupting this process with an error when a worker dies. The next batch raises the error instead."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)


def _why_alone(error: Exception) -> str:
    """Say why this process has to read images by itself, and what would help."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
    text = reason.lower()
    if any(word in text for word in ("shared memory", "shm", "bus error", "no space left", "semlock")):
        try:
            free = f"/dev/shm has {shutil.disk_usage('/dev/shm').free / 1e6:,.0f} MB free"
        except OSError:
            free = "there is no /dev/shm"
        help = f"they need shared memory, and {free}. Give it more; for a container: docker run --shm-size 8g"
    elif "too many open files" in text or "ancdata" in text:
        help = "raise the limit of open files: ulimit -n 4096"
    elif "pickle" in text:
        help = "nothing; this system cannot hand the transform of the model to other processes"
    else:
        help = "perhaps they used too much memory. Give the job more, or fewer threads"
    return f"processes that read images failed ({reason}). This process reads the others by itself, more slowly. To do: {help}."
