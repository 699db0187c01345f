"""How the tables came to look as they do, one file a step."""

HEAD = "0006"
"""The newest step: a database at this revision needs no migration."""
