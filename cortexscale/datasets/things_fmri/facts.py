"""Facts about THINGS-fMRI, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts, Training

FACTS = Facts(
    label="T-fMRI",
    modality="fmri",
    released_name="things_fmri",
    colour="#1f4e79",
    marker="s",
    counts=PaperCounts(
        stimuli=8640, noise_ceiling=0.506084, subjects=3, rois=28, train=8640, test=100, train_repetitions=1, test_repetitions=12
    ),
    readouts={
        "attention": Training(epochs=30, learning_rate=1e-4, dropout=0.8),
        "shallow_mlp": Training(epochs=30, learning_rate=1e-4, dropout=0.5),
        "low_rank": Training(epochs=30, learning_rate=5e-5),
    },
)
