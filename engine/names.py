"""What a name may look like, whatever it names: short, printable, and safe in a path, a URL and a file's name."""

LONGEST = 64
REST = "[A-Za-z0-9_.-]{0,63}"
NAME = f"[A-Za-z0-9]{REST}"
"""A regular expression, to be matched as a whole."""
