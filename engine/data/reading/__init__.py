"""What a cell means: the one place that knows it, whatever file, request or export the cell comes from."""
