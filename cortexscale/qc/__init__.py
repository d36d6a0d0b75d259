"""Quality control of the neural data: noise ceilings, counts, and released statistics."""
