"""Raw files of docs/example_dataset.py, small, with known truth; and the config entry of docs/adding_a_dataset.md."""

import re
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from places import ROOT

NOISE_SD = 1.5
N_NEURONS = 30


def documented_entry() -> dict:
    """The YAML of the documentation, with the reader's path made absolute."""
    text = (ROOT / "docs/adding_a_dataset.md").read_text()
    entry = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1))
    entry["datasets"]["mylab"]["reader"] = str(ROOT / "docs/example_dataset.py")
    return entry


def write_example(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Write images and recordings below ``folder``; returns the noise-free responses of every subject.

    Neurons 20 to 29 respond to nothing.
    """
    entry = documented_entry()
    options = entry["datasets"]["mylab"]["options"]
    rng = np.random.default_rng(0)
    n_train, n_test = options["n_train"], options["n_test"]
    ids = np.array([f"scene{number % 7}/photograph_{number:03d}.png" for number in range(n_train + n_test)])
    for id in ids:
        file = folder / entry["stimuli"]["photographs"]["path"] / id
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(file)
    raw = folder / entry["datasets"]["mylab"]["path"]
    raw.mkdir(parents=True)
    truth = {}
    for subject in entry["datasets"]["mylab"]["subjects"]:
        signal = rng.standard_normal((len(ids), N_NEURONS)) * (np.arange(N_NEURONS) < 20)
        train = signal[:n_train] + NOISE_SD * rng.standard_normal((n_train, N_NEURONS))
        noise = rng.standard_normal((options["n_repetitions"], n_test, N_NEURONS))
        test = signal[n_train:] + NOISE_SD * noise
        np.savez(raw / f"{subject}_responses.npz", train_ids=ids[:n_train], train=train, test_ids=ids[n_train:], test=test)
        areas = ["V4", "IT"] * (N_NEURONS // 2)
        rows = [f"{number},{area}" for number, area in enumerate(areas)]
        (raw / f"{subject}_neurons.csv").write_text("\n".join(["neuron,area", *rows]) + "\n")
        truth[subject] = {"train": signal[:n_train], "test": signal[n_train:]}
    return truth
