"""Facts about NSD, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts, Training

FACTS = Facts(
    label="NSD-fMRI",
    modality="fmri",
    released_name="nsd_func1pt8mm_individualROIs",
    colour="#4dabf7",
    marker="D",
    counts=PaperCounts(
        stimuli=70000, noise_ceiling=0.551898, subjects=8, rois=28, train=9000, test=1000, train_repetitions=3, test_repetitions=3
    ),
    readouts={
        "attention": Training(epochs=20, learning_rate=1e-3, dropout=0.8),
        "shallow_mlp": Training(epochs=20, learning_rate=1e-3, dropout=0.5),
        "low_rank": Training(epochs=20, learning_rate=1e-4),
    },
)
