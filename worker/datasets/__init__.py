"""What is decided about datasets: uploads, samples, checks."""
