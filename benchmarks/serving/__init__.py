"""How fast predictions are served: against MLServer, a plain FastAPI endpoint, and the bare products."""
