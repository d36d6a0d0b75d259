"""What a person should see of the neural data before trusting a score: noise ceilings, counts, released statistics."""
