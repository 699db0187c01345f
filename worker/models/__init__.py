"""What is decided about models: the registry, cards, drift."""
