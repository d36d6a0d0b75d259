"""Facts about THINGS-EEG1, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts, Training

FACTS = Facts(
    label="T-EEG1",
    modality="eeg",
    released_name="things_eeg1",
    colour="#e8590c",
    marker="v",
    counts=PaperCounts(
        stimuli=22248,
        noise_ceiling=0.303142,
        subjects=10,
        rois=7,
        train=22248,
        test=200,
        train_repetitions=1,
        test_repetitions=12,
    ),
    readouts={
        "attention": Training(epochs=10, learning_rate=1e-4, dropout=0.5),
        "shallow_mlp": Training(epochs=10, learning_rate=5e-5, dropout=0.3),
        "low_rank": Training(epochs=10, learning_rate=5e-5),
    },
)
