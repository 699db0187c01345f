"""Random variations of the training rows, each a function of seed, epoch and row."""
