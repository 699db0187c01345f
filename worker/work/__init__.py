"""The kinds of work, and one attempt at an item: lease, heartbeat, watchdog."""
