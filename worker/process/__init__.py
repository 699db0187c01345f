"""A worker as processes: the parent that takes messages and forks, the children that work."""
