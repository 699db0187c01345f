"""What the service answers with: every field that leaves the house is listed here."""
