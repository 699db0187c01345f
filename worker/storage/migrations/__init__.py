"""How the tables came to look as they do, one file a step."""

HEAD = "0001"
"""The newest step: a database at this revision needs no migration."""
