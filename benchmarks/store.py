"""Compare our feature store with contiguous HDF5: write by batches, and read by column slabs.

    python benchmarks/store.py [--rows 3072] [--width 30000]

The store must read column slabs at half the speed of contiguous HDF5 or faster, be one file, and leave nothing after an
interrupted write.
"""

import argparse
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from cortexscale.features.store import FeatureStore, StoreWriter

SLAB = 4096


def main(rows: int, width: int) -> None:
    features = np.random.default_rng(0).standard_normal((rows, width)).astype(np.float16)
    megabytes = features.nbytes / 1e6
    with tempfile.TemporaryDirectory() as folder:
        store, contiguous = Path(folder) / "m.zarr.zip", Path(folder) / "m.h5"
        writing = {"zarr.zip": lambda: write_store(store, features), "hdf5": lambda: write_hdf5(contiguous, features)}
        reading = {"zarr.zip": lambda: read_store(store), "hdf5": lambda: read_hdf5(contiguous)}
        print(f"{rows} x {width} float16, {megabytes:.0f} MB; MB/s, best of 3, alternating")
        for what, ways in (("write by 256 rows", writing), ("read all in column slabs", reading)):
            best = dict.fromkeys(ways, 0.0)
            for _ in range(3):
                for name, run in ways.items():
                    started = time.perf_counter()
                    run()
                    best[name] = max(best[name], megabytes / (time.perf_counter() - started))
            print(f"{what:28s}" + "".join(f"{name}: {speed:6.0f}   " for name, speed in best.items()), end="")
            print(f"ratio {best['zarr.zip'] / best['hdf5']:.2f}")
        read = np.concatenate(list(FeatureStore(store).slabs("layer")), axis=1)
        error = np.abs(read - features).max() / np.abs(features).max()
        if error > 2**-11:
            raise SystemExit(f"a relative error of {error:.1e}; a rate would mean nothing")
        print(f"largest error {error:.1e} of the largest feature; files: 1")


def write_store(path: Path, features: np.ndarray) -> None:
    writer = StoreWriter(path, {"model": "m"}, len(features))
    for start in range(0, len(features), 256):
        writer.write({"layer": features[start : start + 256]})
    writer.finish({"layers": {"layer": {"position": 1, "depth": 1.0}}})


def write_hdf5(path: Path, features: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("layer", features.shape, "f2")
        for start in range(0, len(features), 256):
            data[start : start + 256] = features[start : start + 256]


def read_store(path: Path) -> None:
    for _ in FeatureStore(path).slabs("layer", columns=SLAB):
        pass


def read_hdf5(path: Path) -> None:
    with h5py.File(path, "r") as file:
        for start in range(0, file["layer"].shape[1], SLAB):
            file["layer"][:, start : start + SLAB]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=3072)
    parser.add_argument("--width", type=int, default=30_000)
    main(**vars(parser.parse_args()))
