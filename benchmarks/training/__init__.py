"""How long an epoch takes, here and elsewhere: the engine, JAX, PyTorch, scikit-learn and the bare matrix products."""
