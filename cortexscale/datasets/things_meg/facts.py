"""Facts about THINGS-MEG, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts, Training

FACTS = Facts(
    label="T-MEG",
    modality="meg",
    released_name="things_meg",
    colour="#c2255c",
    marker="^",
    counts=PaperCounts(
        stimuli=22248, noise_ceiling=0.350308, subjects=4, rois=7, train=22248, test=200, train_repetitions=1, test_repetitions=12
    ),
    readouts={
        "attention": Training(epochs=30, learning_rate=1e-4, dropout=0.8),
        "shallow_mlp": Training(epochs=30, learning_rate=1e-4, dropout=0.8),
        "low_rank": Training(epochs=30, learning_rate=5e-5),
    },
)
