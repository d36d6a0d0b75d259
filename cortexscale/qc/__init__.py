"""Quality of the neural data: noise ceilings, counts, and statistics of the releases."""
