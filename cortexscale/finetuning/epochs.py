"""The number of steps in an epoch of fine-tuning. Estimates of costs use it too."""

FEW_STEPS = 10
"""An epoch of at most so many steps has its last, partial batch, as in the authors' code; a longer one drops it."""


def epoch_steps(samples: int, neural_batch: int) -> int:
    """Steps of one pass over the stimuli of a subject."""
    whole, rest = divmod(samples, neural_batch)
    return whole + (rest > 0) if whole <= FEW_STEPS else whole
