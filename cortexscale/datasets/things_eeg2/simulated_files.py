"""A writer of raw data of THINGS-EEG2 in the released layouts: dictionaries, and the BrainVision recordings that they join."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.datasets.formats.meeg import MICROVOLT
from cortexscale.datasets.things_eeg2.files import RATE, TARGET, Part, SplitName
from cortexscale.datasets.things_eeg2.reader import CHANNELS
from cortexscale.simulation.brainvision import write_brainvision

EXEMPLARS = 10  # number of images of a training concept; a test concept has one image, which has the next number
_TRIGGER_OF_TARGET = 255


def write_image_metadata(root: Path, things_ids: np.ndarray, ids: dict[SplitName, np.ndarray]) -> Path:
    """Write ``image_metadata.npy``, with the file and the folder of the image of every condition.

    The name of a folder is a number and a concept. Keys that end in ``_THINGS`` number the concepts of all ``things_ids``. The
    other keys number the concepts of their split.
    """
    metadata = {}
    everything = sorted({str(id).split("/")[0] for id in things_ids})
    for split, own in ids.items():
        prefix = "train" if split == "training" else split
        concepts, files = zip(*(str(id).split("/") for id in own), strict=True)
        numbered = {"": sorted(set(concepts)), "_THINGS": everything}
        for ending, names in numbered.items():
            rank = {name: number for number, name in enumerate(names, start=1)}
            metadata[f"{prefix}_img_concepts{ending}"] = [f"{rank[concept]:05d}_{concept}" for concept in concepts]
        metadata[f"{prefix}_img_files"] = list(files)
    root.mkdir(parents=True, exist_ok=True)
    np.save(root / "image_metadata.npy", np.array(metadata, dtype=object))
    return root / "image_metadata.npy"


def write_dictionary(root: Path, subject: str, session: int, split: SplitName, parts: Sequence[Part]) -> None:
    """Write ``raw_eeg_training.npy`` or ``raw_eeg_test.npy`` of a session, with the joined parts and a trigger channel."""
    data = np.zeros((len(CHANNELS) + 1, sum(part.n_samples for part in parts)))
    first = 0
    for part in parts:
        own = data[:, first : (first := first + part.n_samples)]
        own[:-1] = part.segment(0, part.n_samples)
        own[-1, part.onsets] = part.conditions
    path = root / subject / f"ses-{session:02d}" / f"raw_eeg_{split}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "raw_eeg_data": data,
        "ch_names": [*CHANNELS, "stim"],
        "ch_types": [*["eeg"] * len(CHANNELS), "stim"],
        "sfreq": RATE,
        "highpass": 0.01,
        "lowpass": 100,
    }
    np.save(path, np.array(content, dtype=object))


def write_source(root: Path, subject: str, session: int, split: SplitName, parts: Sequence[Part]) -> None:
    """Write the BrainVision recordings and the logs of the parts of a session.

    The trigger of a training image is the first two digits of its number. The trigger of a test image is its number, and the
    trigger of a target is 255.
    """
    folder = root / subject / f"ses-{session:02d}"
    for number, part in enumerate(parts, start=1):
        stem = f"{subject}_{folder.name}_task-{'test' if split == 'test' else f'train_part-{number:02d}'}"
        digits = 3 if split == "test" else 2
        triggers = [_TRIGGER_OF_TARGET if code == TARGET else int(str(code)[:digits]) for code in part.conditions]
        markers = [("Stimulus", f"S{code:3d}", int(onset)) for code, onset in zip(triggers, part.onsets, strict=True)]
        microvolts = part.segment(0, part.n_samples) / MICROVOLT
        write_brainvision(folder / "eeg" / f"{stem}_eeg", microvolts, CHANNELS, RATE, markers)
        _write_log(folder / "beh" / f"{stem}_beh.mat", part, triggers)


def _write_log(path: Path, part: Part, triggers: Sequence[int]) -> None:
    """Write the log of one part, with all fields of the release. Its struct array ``data.images`` has an entry per image."""
    import scipy.io

    is_target = part.conditions == TARGET
    number = np.where(is_target, 0, part.conditions)
    columns = {
        "block": np.ones(len(number), dtype=int),
        "sequence": np.ones(len(number), dtype=int),
        "img": np.arange(1, len(number) + 1),
        "img_type": ["target" if target else "image" for target in is_target],
        "img_category": (number + EXEMPLARS - 1) // EXEMPLARS,
        "within_category_number": (number - 1) % EXEMPLARS + 1,
        "tot_img_number": number,
        "category_name": ["buzz" if target else "thing" for target in is_target],
        "trigger_1": triggers,
        "img_duration": np.full(len(number), 0.1),
        "SOA": np.gradient(part.onsets) / RATE,
    }
    images = pd.DataFrame(columns, dtype=object).to_records(index=False)
    data = {"paradigm_info": {"session": 1}, "subject_info": {"age": 30}, "images": images}
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"data": data | {"task": {"hits": int(is_target.sum())}}})
