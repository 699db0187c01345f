"""What every request and every answer passes on its way, whichever route it takes."""
