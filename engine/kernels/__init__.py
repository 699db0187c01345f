"""How a step is carried out fast; what it is stands in the layers, losses and optimizers, formula by formula.

`Program` writes a network down as tables, `step.run` carries them out, and a `Team` of threads shares the work. What
these files hold is held against the plain formulas in the tests.
"""

from engine.kernels.answering import Answering
from engine.kernels.program import Program, can_answer, can_run
from engine.kernels.team import EVERY_ROW, Answers, Inputs, Team, warm, worthwhile_threads

__all__ = [
    "EVERY_ROW",
    "Answering",
    "Answers",
    "Inputs",
    "Program",
    "Team",
    "can_answer",
    "can_run",
    "warm",
    "worthwhile_threads",
]
