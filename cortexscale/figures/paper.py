"""The figures of the paper: its names for figures, and the content that each of them shows."""

from dataclasses import dataclass

_SUPPLEMENT = ("freemanziemba", "majajhong", "tvsd", "things_fmri", "nsd", "things_eeg1", "things_eeg2", "things_meg")
"""Readers of the paper's datasets, in the order in which its supplement shows them."""
_CEILINGS = ("nsd", "things_fmri", "things_eeg1", "things_eeg2", "things_meg", "tvsd", "freemanziemba", "majajhong")
"""Names of the datasets in the order of figures S1 to S8."""


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper.

    Attributes:
        content: key of the registry.
        variant: variant of the content; for a figure of one dataset the dataset of the first of ``readers``.
        readers: readers of the datasets that it shows; without any, and without ``modalities``, it shows all datasets.
        modalities: modalities of the datasets that it shows.
    """

    content: str
    variant: str | None = None
    readers: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()


def _per_dataset(content: str, first: int, readers: tuple[str, ...]) -> dict[str, PaperFigure]:
    return {f"figS{number}": PaperFigure(content, readers=(reader,)) for number, reader in enumerate(readers, start=first)}


PAPER = {
    "fig2": PaperFigure("scaling_laws"),
    "fig3": PaperFigure("convergence"),
    "fig4": PaperFigure("finetuning_gains"),
    "fig5": PaperFigure("transfer"),
    "fig6": PaperFigure("readouts_linear"),
    "fig7": PaperFigure("accuracy_overview"),
    **_per_dataset("noise_ceilings", 1, _CEILINGS),
    "figS9": PaperFigure("projection_scores"),
    "figS10": PaperFigure("projection_dimensions"),
    "figS11": PaperFigure("layer_agreement", readers=("nsd", "things_fmri", "tvsd")),
    **_per_dataset("layers", 12, _SUPPLEMENT),
    "figS20": PaperFigure("families", "samples"),
    "figS21": PaperFigure("families", "parameters"),
    "figS22": PaperFigure("selected_models"),
    "figS23": PaperFigure("selected_models_by_dataset"),
    "figS24": PaperFigure("selected_models_table"),
    "figS25": PaperFigure("selected_models_size"),
    "figS26": PaperFigure("scaling_by_metric", "rsa_c_test"),
    "figS27": PaperFigure("scaling_by_metric", "rsa_ve_test"),
    "figS28": PaperFigure("scaling_by_metric", "cka_c_test"),
    "figS29": PaperFigure("scaling_by_metric", "cka_ve_test"),
    "figS30": PaperFigure("accuracy_by_dataset"),
    **_per_dataset("accuracy", 31, _SUPPLEMENT),
    "figS39": PaperFigure("accurate_models"),
    "figS40": PaperFigure("accuracy_correlations", modalities=("ephys",)),
    "figS41": PaperFigure("accuracy_correlations", modalities=("eeg", "meg")),
    "figS42": PaperFigure("accuracy_correlations", readers=("nsd",)),
    "figS43": PaperFigure("accuracy_correlations", readers=("things_fmri",)),
    "figS44": PaperFigure("finetuning_samples"),
    "figS45": PaperFigure("finetuning_accuracy"),
    "figS46": PaperFigure("finetuning_paths"),
    "figS47": PaperFigure("finetuning_controls"),
    "figS48": PaperFigure("finetuning_permuted"),
    "figS49": PaperFigure("finetuning_subjects"),
    "figS50": PaperFigure("finetuning_sizes"),
    "figS51": PaperFigure("finetuning_sizes_by_dataset"),
    "figS52": PaperFigure("finetuning_rates", "average"),
    "figS53": PaperFigure("finetuning_rates", "finetuned_on"),
    "figS54": PaperFigure("finetuning_rates", "scored_on"),
    "figS55": PaperFigure("finetuning_rates", "same_dataset"),
    "figS56": PaperFigure("finetuning_rates", "relation"),
    "figS57": PaperFigure("lora_ranks", "finetuned_on"),
    "figS58": PaperFigure("lora_ranks", "scored_on"),
    "figS59": PaperFigure("lora_ranks", "same_dataset"),
    "figS60": PaperFigure("lora_against_full"),
    "figS61": PaperFigure("lora_best"),
    "figS62": PaperFigure("readouts_laws"),
    "figS63": PaperFigure("readouts_parameters"),
}
"""Name in the paper -> what it shows."""
