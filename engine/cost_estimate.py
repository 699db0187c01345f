"""What a job will need, from its spec and the size of its data, before anything is trained."""

from math import prod

from pydantic import BaseModel, ConfigDict, Field

from engine.network import Network
from engine.spec import JobSpec


class CostEstimate(BaseModel):
    """Parameters, memory and arithmetic of a job."""

    model_config = ConfigDict(frozen=True)
    parameters: int
    examples: int = Field(description="in the training set")
    steps_per_epoch: int
    memory_bytes: int = Field(description="θ, gradient, slots and work vectors, activations of a batch, and the data")
    flops_per_epoch: int = Field(description="of the matrix products: 6 for each weight and example")


def estimate_cost(network: Network, spec: JobSpec, examples: int, all_examples: int) -> CostEstimate:
    """The cost of training this network on so many examples, of `all_examples` held in memory."""
    itemsize = 4 if spec.precision == "float32" else 8
    batch = examples if spec.training.batch_size == "full" else min(spec.training.batch_size, examples)
    vectors = 1 + 1 + len(spec.optimizer.slots) + 3 + 1  # θ, g, slots, work and before, best
    activations = sum(
        shape_size
        for layer, width in zip(network.layers, network.widths, strict=False)
        for shape_size in map(prod, layer.buffers(batch, width).values())
    )
    data = all_examples * (network.n_in + 1)
    return CostEstimate(
        parameters=network.parameter_count,
        examples=examples,
        steps_per_epoch=-(-examples // batch),
        memory_bytes=itemsize * (vectors * network.parameter_count + activations + data),
        flops_per_epoch=network.flops_per_example() * examples,
    )
