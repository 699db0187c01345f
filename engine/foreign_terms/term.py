"""One entry of the table: words of others that mean one thing, and what that is here."""

from typing import Literal, NamedTuple, TypeAlias

from pydantic import JsonValue

Conversion: TypeAlias = Literal[
    "one minus",
    "inverse",
    "times batch",
    "dev share",
    "test share",
    "train share",
    "best or last",
    "gpu or cpu",
    "at start",
    "behind",
]


class Term(NamedTuple):
    """Words of others that mean one thing, and what that is here."""

    words: str
    """Between blanks; case and punctuation do not count."""
    of: str
    """Whose words they are."""
    ours: JsonValue = None
    """A name or a field beside it, the pointer of a field elsewhere, an object in its place; None: not here."""
    note: str = ""
    """What else is to be known. Where nothing is ours it stands alone, and `{value}` is the converted value."""
    value: Conversion | None = None
    """How the value becomes ours, where it is neither the same nor a word of the table."""
    beside: str = ""
    """Only where one of these fields stands in the same object."""


KERAS, TORCH, SKLEARN, COURSE = "Keras", "PyTorch", "scikit-learn", "the course"
KT, TS, KTS = f"{KERAS}, {TORCH}", f"{TORCH}, {SKLEARN}", f"{KERAS}, {TORCH}, {SKLEARN}"
ALL = f"{KTS}, {COURSE}"
OTHERS = "tools for experiments"

RATE = "/optimizer/learning_rate"
CLASSIC = 'add "classic": true for v = beta*v + g, as Keras and PyTorch have it'
COURSE_L2 = "the penalty is l2/(2m) times the sum of W^2, the course's lambda/(2m), with m examples in the batch"
SKLEARN_L2 = "on the scale of scikit-learn's alpha, l2/(2m) times the sum of W^2 with m examples in the batch"
WEIGHT_DECAY = (
    "l2 is PyTorch's weight decay times the batch size, as it adds l2/m*W to the gradient, with m examples in the "
    "batch; decoupled weight decay is a field of the optimizer adamw"
)
FOLLOWS = "it follows from the data; leave it out"
OWN_LAYER = "an activation is a layer of its own, behind the dense layer"
NO_OTHER_LAYERS = "there are dense layers only"
SHARES = "shares of train, dev and test"
XAVIER = "its std is sqrt(2/(n_in + n_out)), that of 'xavier' the course's sqrt(1/n_in)"
