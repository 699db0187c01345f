"""Delimited text, as people and programs write it."""
