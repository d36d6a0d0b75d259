"""Result tables that the authors of the paper published. The plan reads this module, so it imports nothing."""

FILES = {
    "pretraining": "pretraining_results_with_metadata",
    "layer_search": "layer_search_results",
    "finetuning": "finetuning_results",
    "mapping": "mapping_results",
}
"""Name of a result table -> name of the published parquet file."""
