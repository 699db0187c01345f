"""What is decided about parameter sets: initial parameters that people bring along."""
