"""From columns of any type to a network's inputs and targets, learned on the training rows."""
