"""What every part of a training spec is: a frozen pydantic model whose fields are the hyper-parameters.

Its methods are the mathematics and get their arrays passed in, so validated JSON is the object graph.
"""

from pydantic import BaseModel, ConfigDict


class Component(BaseModel):
    """A frozen, strictly named set of hyper-parameters; unknown fields, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)
