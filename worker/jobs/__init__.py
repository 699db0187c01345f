"""What is decided about jobs: submission, hyper-parameters, comparison."""
