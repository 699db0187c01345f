"""Where settings come from, and what is wrong there, a line for each thing.

In this order, the first that has a setting counts: arguments of a command, environment variables, the file `.env` of
the current folder, the folder of secrets (a file for each, named as the variable is). An empty variable counts as none.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "TRAINSHED_"
DOTENV = ".env"
OF_CLIENTS = (f"{PREFIX}URL",)
"""Variables that are nobody's setting, but the client's."""

PLAINER = {
    "a valid integer": "a whole number",
    "a valid ": "a ",
    "less than or equal to": "at most",
    "greater than or equal to": "at least",
}
LONGEST = 60  # characters of a value in a message
# What Kubernetes tells every container of the services beside it: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SERVICE = re.compile(r"TRAINSHED_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
SERVICE_PORT = re.compile(r"TRAINSHED_(\w+_)?PORT")
LINK = re.compile(r"(tcp|udp|sctp)://")


class InvalidSettings(Exception):
    """Settings that cannot be meant; a line of the message for each."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__("\n".join(lines))


class Sources:
    """The places where settings are named; `secrets_dir` may be named by those before it."""

    def __init__(self, settings: type[BaseSettings], arguments: PydanticBaseSettingsSource | None = None) -> None:
        self._environment = EnvSettingsSource(settings)
        self._file = DotEnvSettingsSource(settings)
        for source in (self._environment, self._file):
            source.env_vars = {
                name: value for name, value in source.env_vars.items() if not _is_of_kubernetes(name.upper(), value)
            }
        self.in_order: list[PydanticBaseSettingsSource] = [self._environment, self._file]
        if arguments is not None:
            self.in_order.insert(0, arguments)
        named = (source().get("secrets_dir") for source in self.in_order)
        self.secrets_dir = Path(next((folder for folder in named if folder is not None), _default(settings)))
        there = self.secrets_dir.is_dir()
        self.in_order.append(SecretsSettingsSource(settings, secrets_dir=self.secrets_dir if there else None))
        self._fields = settings.model_fields

    def wrong_names(self) -> list[str]:
        """A line for each name that is neither a setting nor the client's."""
        known = {f"{PREFIX}{field.upper()}" for field in self._fields} | {*OF_CLIENTS}
        unknown = [(name, where) for where, names in self._names().items() for name in names if name.startswith(PREFIX)]
        unknown = [(name, where) for name, where in unknown if name not in known]
        if not unknown:
            return []
        from engine.spelling import did_you_mean  # only now: with it comes all of the engine

        return [f"{name}{where} is no setting. {did_you_mean(name, sorted(known))}" for name, where in unknown]

    def wrong_value(self, error: "ErrorDetails") -> str:
        """The line for what pydantic found: the variable, where it is set, the value unless secret, what is allowed."""
        must = re.sub(r"^(Input|Tuple) should ", "must ", error["msg"].removeprefix("Value error, "))
        for words, plainer in PLAINER.items():
            must = must.replace(words, plainer)
        must = must.partition(", unable to")[0]
        if not error["loc"]:  # of several settings together
            return must
        field = str(error["loc"][0])
        name = PREFIX + field.upper()
        where = next((where for where, names in self._names().items() if name in names), "")
        if "SecretStr" in str(self._fields[field].annotation):
            return f"{name}{where} {must}" if must.startswith("must ") else f"{name}{where} cannot be used: {must}"
        value = repr(error["input"])
        value = value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."
        return f"{name}{where} is {value}" + (f"; it {must}" if must.startswith("must ") else f": {must}")

    def _names(self) -> Mapping[str, list[str]]:
        """By place, as a message names it, in the order of precedence."""
        files = self.secrets_dir.iterdir() if self.secrets_dir.is_dir() else ()
        return {
            "": [name.upper() for name in self._environment.env_vars],
            f" in {DOTENV}": [name.upper() for name in self._file.env_vars],
            f" in {self.secrets_dir}": [file.name.upper() for file in files],
        }


def _is_of_kubernetes(name: str, value: str | None) -> bool:
    if SERVICE.fullmatch(name):
        return True
    return SERVICE_PORT.fullmatch(name) is not None and LINK.match(value or "") is not None


def _default(settings: type[BaseSettings]) -> Path:
    folder: Path = settings.model_fields["secrets_dir"].default
    return folder
