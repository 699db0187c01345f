"""What a job's model answers."""

from pydantic import (
    BaseModel,
    Field,
)

from service.views.view import Object


class Predictions(BaseModel):
    """A prediction per row, in the rows' order."""

    predictions: list[Object] = Field(
        examples=[[{"label": 3, "probabilities": {"3": 0.98, "8": 0.02}}]],
        description="`label` and `probabilities` for classes, `value` for numbers",
    )
