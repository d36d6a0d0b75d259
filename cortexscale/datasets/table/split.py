"""The division of stimuli into training and test stimuli."""

from pathlib import Path

import numpy as np

from cortexscale.datasets.splits import stratified_test
from cortexscale.datasets.table.axes import AxisTable, word
from cortexscale.datasets.table.options import SplitRule
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.listing import nfc


def split_stimuli(
    root: Path, rule: SplitRule, table: AxisTable, stimulus: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each stimulus is a training stimulus and whether it is a test stimulus, each (stimuli,) bool.

    Args:
        stimulus: position in ``ids`` of the stimulus of each row of ``table``, (rows,).
        ids: ids of the stimuli, (stimuli,) str.

    Raises:
        InputError: a column or file is missing, rows of one stimulus have several values, an id in the file is unknown, or there
            is no training or no test stimulus.
    """
    where = f"{table.where}: the option `split`"
    if rule.column is not None:
        names = _of_stimuli(table, rule.column, stimulus, ids)
        words = np.array([word(name) for name in names])
        train, test = (words == word(value) for value in (rule.train, rule.test))
        found = f"{train.sum()} training and {test.sum()} test stimuli among the values {', '.join(np.unique(names)[:5])}"
    else:
        if rule.file is not None:
            where = str(root / rule.file)
            test = _listed(root / rule.file, ids)
        elif rule.every is not None:
            test = np.arange(len(ids)) % rule.every == rule.first
        else:
            strata = _of_stimuli(table, rule.by, stimulus, ids) if rule.by else np.zeros(len(ids), int)
            test = stratified_test(ids, strata, rule.random or 0, rule.seed, where)
        train = ~test
        found = f"{train.sum()} training and {test.sum()} test stimuli"
    if not train.any() or test.sum() < 2:
        raise InputError(where, found, "training stimuli, and at least two test stimuli", "correct `split` of this dataset")
    return train, test


def _of_stimuli(table: AxisTable, column: str, stimulus: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the value of a column for each stimulus, (stimuli,) str. All rows of a stimulus must have the same value."""
    names = table.names(column)
    of_each = names[np.unique(stimulus, return_index=True)[1]]
    if (differ := names != of_each[stimulus]).any():
        row = int(differ.argmax())
        found = f"both {of_each[stimulus[row]]} and {names[row]} in the column {column} for {ids[stimulus[row]]}"
        raise InputError(table.where, found, "one value for all trials of a stimulus", "correct the table")
    return of_each


def _listed(path: Path, ids: np.ndarray) -> np.ndarray:
    """Return whether each stimulus has a line in a text file, (stimuli,) bool."""
    try:
        text = require_real_file(path, "correct `split.file` of this dataset").read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            path, f"text that is not UTF-8 ({error})", "a line of UTF-8 text for each id", "write it again"
        ) from error
    wanted = [nfc(line).strip() for line in text.splitlines() if line.strip()]
    if len(unknown := np.setdiff1d(wanted, ids)):
        found = f"{len(unknown)} ids that no stimulus has, e.g. {unknown[0]}"
        raise InputError(path, found, f"ids such as {ids[0]}", "correct the list, or `stimuli.id` of this dataset")
    return np.isin(ids, wanted)
