"""The Open Inference Protocol, version 2: tensors on the wire, and what they are to a model."""
