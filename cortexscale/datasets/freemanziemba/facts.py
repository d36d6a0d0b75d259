"""Facts about FreemanZiemba2013, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts

FACTS = Facts(
    label="FZ-EP",
    modality="ephys",
    released_name="bs_fz",
    colour="#14532d",
    marker="X",
    counts=PaperCounts(
        stimuli=135, noise_ceiling=0.881070, subjects=1, rois=2, train=121, test=14, train_repetitions=20, test_repetitions=20
    ),
)
