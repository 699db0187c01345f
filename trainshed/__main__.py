"""`python -m trainshed` is the command `trainshed`."""

from trainshed.cli import app

if __name__ == "__main__":  # a process that is started beside this one imports this file, too
    app()
