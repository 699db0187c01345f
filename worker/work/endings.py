"""The ways in which an attempt comes to its end, beside a result and a failure."""


class Cancelled(Exception):
    """Somebody asked for the end of this item."""


class Drained(Exception):
    """This worker was asked to end; the item goes back to the queue."""


class Paused(Exception):
    """Somebody asked for a rest, and the item is saved."""
