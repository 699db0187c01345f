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
        description="`label` and `probabilities` for classes, `value` for numbers; where there is something to say of "
        "a row also `filled`, `unseen` and `outside`: fields that were missing and filled in, whose label no training "
        "row had, whose number is far outside the training range",
    )
    ignored: list[str] = Field(
        default_factory=list, description="fields that the model does not predict from; not there when there are none"
    )
