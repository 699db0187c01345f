"""Where the package trainshed is: beside this folder in a checkout, within it in a source distribution."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ClientPackage(BuildHookInterface[Any]):
    """What hatchling asks before it builds."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder to pack, unless what is installed is the checkout itself."""
        if version == "editable":
            return
        within = Path(self.root, "trainshed")
        package = within if within.is_dir() else within.parents[1] / "trainshed"
        build_data["force_include"][str(package)] = "trainshed"
