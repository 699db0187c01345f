"""What the service says of what was measured while a job trained."""

from pydantic import Field

from service.views.view import Object, View
from worker.domain.measurements import DatedRow, LayersMeasured
from worker.domain.paging import Page

METRICS_ROW = {
    "epoch": 1,
    "step": 17,
    "learning_rate": 0.001,
    "train_cost": 1.93,
    "dev_cost": 1.21,
    "seconds": 0.05,
    "at": "2026-03-01T12:00:00.250Z",
}


class MetricsPage(View[Page[DatedRow]]):
    """Flat rows, one per epoch."""

    data: list[DatedRow] = Field(
        description="`at`: when the epoch ended; null stands for a number that was not finite",
        examples=[[METRICS_ROW]],
    )
    has_more: bool = Field(description="there are more: ask again with `after` = the last row's epoch")


class LayersMeasuredView(View[LayersMeasured]):
    """How every dense layer did in the last batch of an epoch."""

    epoch: int
    layers: list[Object] = Field(
        description="per dense layer, the first being 1: `weight_norm`, `gradient_norm`, `update_ratio` (about 1e-3 is "
        "healthy), `signal` (root mean square of m·∂J/∂Z), `dead_share`, `saturated_share`, `symmetric`"
    )
