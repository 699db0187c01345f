"""One file a dataset, and columns that read from it only the rows asked for."""
