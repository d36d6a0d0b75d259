"""Facts about THINGS-EEG2, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts, Training

FACTS = Facts(
    label="T-EEG2",
    modality="eeg",
    released_name="things_eeg2",
    colour="#f5b301",
    marker="P",
    counts=PaperCounts(
        stimuli=16740,
        noise_ceiling=0.490773,
        subjects=10,
        rois=7,
        train=16540,
        test=200,
        train_repetitions=4,
        test_repetitions=80,
    ),
    readouts={
        "attention": Training(epochs=10, learning_rate=1e-4, dropout=0.5),
        "shallow_mlp": Training(epochs=10, learning_rate=5e-5, dropout=0.3),
        "low_rank": Training(epochs=10, learning_rate=5e-5),
    },
)
