"""The datasets that this package reads. Everything known of one lies in the folder of its name beside this file."""

NAMES = (
    "freemanziemba",
    "majajhong",
    "tvsd",
    "things_fmri",
    "nsd",
    "things_eeg1",
    "things_eeg2",
    "things_meg",
)
"""Names of the built-in datasets, in the order of the paper's figures."""


def reader_module(name: str) -> str:
    """Import path of the module that reads a built-in dataset."""
    return f"cortexscale.datasets.{name}.reader"


def simulator_module(name: str) -> str:
    """Import path of the module that writes a simulated release of a built-in dataset."""
    return f"cortexscale.datasets.{name}.simulate"
