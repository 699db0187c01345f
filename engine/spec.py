"""What a training job is asked to be: validated JSON that is the object graph itself."""

from typing import Annotated, Final, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic.config import JsonDict

from engine.component import Component
from engine.data.specification import DataSpec
from engine.initializers import AnyInitializer, AutoInitializer
from engine.layer_list import Layers
from engine.losses import AnyLoss, AutoLoss
from engine.names import LONGEST, NAME
from engine.optimizers import Adam, AnyOptimizer
from engine.regularization import Regularization
from engine.schedules import AnySchedule, Constant
from engine.serving import Serving

RUNNING: Final[JsonDict] = {"may_change_while_running": True}


class EarlyStopping(Component):
    """Stop when a dev metric has not improved for a while.

    Simple and cheap, at a price: it mixes making the cost small with not overfitting, so the two can no longer
    be tuned one at a time; L2 with a long run is the alternative.
    """

    metric: str = Field(
        "dev_cost",
        pattern=r"^dev_[a-z0-9_]+$",
        max_length=64,
        description="the dev metric to watch, as named in the metrics rows; costs and errors fall, scores rise",
    )
    patience: PositiveInt = Field(
        5, le=2**31 - 1, description="epochs without an improvement before the run stops", json_schema_extra=RUNNING
    )
    min_delta: NonNegativeFloat = Field(
        0.0,
        description="how much better a value must be to count as an improvement",
        json_schema_extra=RUNNING,
    )


class TrainingSpec(Component):
    """How long, in what portions, and when to stop."""

    epochs: PositiveInt = Field(
        20,
        le=100_000,
        description="passes over the training set",
        json_schema_extra=RUNNING | {"importance": 3},
    )
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | Literal["full"] = Field(
        64,
        description="examples per step; a power of two suits the hardware, 'full' (batch gradient descent) is advised "
        "up to 2000 examples; the last short batch is kept",
        json_schema_extra=RUNNING | {"importance": 2},
    )
    shuffle: bool = Field(True, description="a new order of the examples in every epoch")
    clip_norm: PositiveFloat | None = Field(
        None,
        description="scale the gradient down to this norm where it is longer: against exploding gradients",
        json_schema_extra=RUNNING,
    )
    clip_value: PositiveFloat | None = Field(
        None, description="cut every component of the gradient to ± this value", json_schema_extra=RUNNING
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="stop when a dev metric no longer improves; needs a dev set"
    )
    keep: Literal["best", "last"] | None = Field(
        None,
        description="which model the job keeps: the best on dev (by the early-stopping metric, else dev_cost) or the "
        "last; null is best where there is a dev set",
    )


class StartFrom(Component):
    """The parameters of another job, to begin with: a warm start, a branch, or transfer to other classes.

    Features, labels and classes are matched by name, whatever their order; those that both jobs have keep the scales
    and fills of the other job, whose `normalize` holds where this one names none. What it does not have, and layers
    of other widths, are drawn as the initializer has it; an event says which.
    """

    job: str = Field(min_length=1, max_length=64, description="id of the job whose parameters are taken")
    checkpoint: Annotated[int, Field(ge=1, le=2**31 - 1)] | Literal["best", "last"] = Field(
        "best", description="number of one of its checkpoints, or its best or last parameters"
    )


Moment = Literal["start", "end"] | Annotated[int, Field(ge=1, le=100_000)]


class Checks(Component):
    """What is verified beside the training."""

    gradients: tuple[Moment, ...] = Field(
        ("start",),
        max_length=16,
        description="when to compare backpropagation with finite differences: start, end, or after an epoch; [] never",
    )
    base_error: float = Field(
        0.0,
        ge=0,
        le=1,
        description="the error that cannot be avoided (a human's, or Bayes'), against which bias is measured",
    )


class JobSpec(Component):
    """A training job: data, network, objective, optimizer. Only data.train and data.target must be given."""

    name: str | None = Field(
        None, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", description="what people call the job"
    )
    data: DataSpec = Field(description="what is learned from which rows")
    layers: Layers = Field(
        (),
        description="the hidden part of the network, in the order the data flows; the output layer follows from target "
        'and loss; an empty list is logistic, softmax or linear regression. In short, `[64, "tanh", 32]`: a number '
        "is a dense layer with the activation that follows, else ReLU, and a name has its defaults",
        json_schema_extra={"importance": 3},
    )
    initializer: AnyInitializer = Field(
        AutoInitializer(), description='how the weights begin; in short by name, `"he"`'
    )
    loss: AnyLoss = Field(AutoLoss(), description="what training makes small; in short by name")
    regularization: Regularization = Field(Regularization(), description="penalties on the weights")
    optimizer: AnyOptimizer = Field(
        Adam(), description='how the parameters follow the gradient; in short by name, `"adam"`'
    )
    schedule: AnySchedule = Field(
        Constant(),
        description='how the learning rate changes as training goes on; in short by name, `"cosine"`',
        json_schema_extra=RUNNING,
    )
    training: TrainingSpec = Field(TrainingSpec(), description="epochs, batches and stopping")
    checks: Checks = Field(Checks(), description="gradient checks, and the base error of the diagnosis")
    start_from: StartFrom | None = Field(
        None, description="another job's parameters to begin with, in place of drawn ones"
    )
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="where to train; auto takes what the worker has")
    precision: Literal["float32", "float64"] = Field(
        "float32", description="of parameters and arithmetic; gradient checks always use float64"
    )
    tf32: bool = Field(
        False,
        description="on a GPU, round the factors of matrix products in float32 to TF32, which keeps 10 bits of 23: "
        "several times faster, and a CPU's run is then only alike; gradient checks never do",
    )
    register_as: Annotated[str, Field(pattern=f"^{NAME}$", max_length=LONGEST)] | None = Field(
        None,
        description="name of a registered model: once the job has succeeded, its model becomes the name's next version",
    )
    serving: Serving = Field(Serving(), description="how the version that `register_as` makes answers")
    seed: int = Field(
        0,
        ge=0,
        le=2**63 - 1,
        description="of initial weights, order, masks; the same seed gives the same bits",
    )
    priority: int = Field(5, ge=0, le=9, description="of the jobs that wait, those with the highest are trained first")
    time_limit_seconds: PositiveFloat | None = Field(
        None, description="training that takes longer, pauses not counted, fails; null: as long as the service allows"
    )
