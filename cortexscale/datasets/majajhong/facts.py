"""Facts about MajajHong2015, apart from the content of its files."""

from cortexscale.datasets.facts import Facts, PaperCounts

FACTS = Facts(
    label="MH-EP",
    modality="ephys",
    released_name="bs_mh",
    colour="#2f9e44",
    marker="*",
    counts=PaperCounts(
        stimuli=3200, noise_ceiling=0.869264, subjects=2, rois=2, train=2880, test=320, train_repetitions=50, test_repetitions=50
    ),
)
