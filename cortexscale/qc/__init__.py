"""What a person should see of the neural data before trusting a score: noise ceilings, counts, released statistics."""

NOISE_CEILING_FIGURES = {
    "figS1": "nsd",
    "figS2": "things_fmri",
    "figS3": "things_eeg1",
    "figS4": "things_eeg2",
    "figS5": "things_meg",
    "figS6": "tvsd",
    "figS7": "freemanziemba",
    "figS8": "majajhong",
}
"""Figures of the paper's supplement that show the noise ceilings of one dataset, and its reader."""
