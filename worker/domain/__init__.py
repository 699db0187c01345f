"""What jobs and the like are: frozen records and state machines, without SQL and I/O."""
