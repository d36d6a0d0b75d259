"""Result tables that the authors of the paper published, in place of results of one's own.

The plan reads this module, so it imports nothing.
"""

FILES = {
    "pretraining": "pretraining_results_with_metadata",
    "layer_search": "layer_search_results",
    "finetuning": "finetuning_results",
    "mapping": "mapping_results",
}
"""Our name of a table -> the name of its parquet file."""
