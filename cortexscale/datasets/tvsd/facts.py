"""Facts about TVSD, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts, Training

FACTS = Facts(
    label="TVSD-EP",
    modality="ephys",
    released_name="tvsd",
    colour="#94d82d",
    marker="o",
    counts=PaperCounts(
        stimuli=22248, noise_ceiling=0.976046, subjects=2, rois=3, train=22248, test=100, train_repetitions=1, test_repetitions=30
    ),
    readouts={
        "attention": Training(epochs=30, learning_rate=1e-4, dropout=0.3),
        "shallow_mlp": Training(epochs=30, learning_rate=1e-4, dropout=0.3),
        "low_rank": Training(epochs=30, learning_rate=5e-5),
    },
)
