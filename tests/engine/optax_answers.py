"""What optax and JAX answered when `ask_optax` was last run; only `make accept` installs them, and asks again."""

import json
from pathlib import Path
from typing import Any

ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_name("optax_answers.json").read_text())
