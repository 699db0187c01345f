"""What is done again and again: lost leases, unpublished items, orphaned files."""
