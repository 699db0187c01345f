"""Predictions: which version answers, models in memory, dynamic batching."""
