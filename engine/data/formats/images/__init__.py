"""Pictures, one by one and in archives."""
