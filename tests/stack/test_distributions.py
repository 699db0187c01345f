"""Two distributions from one checkout: trainshed-client is the package trainshed, trainshed all that it starts."""

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from trainshed import cli
from trainshed.cli import service

REPOSITORY = Path(__file__).parents[2]
PLACES = {"trainshed": REPOSITORY, "trainshed-client": REPOSITORY / "client"}
OWN = {"engine", "worker", "service", "trainshed"}
STARTERS = {
    "trainshed/demo.py",
    "trainshed/doctor.py",
    "trainshed/cli/service.py",
}  # of the client's files, those that the service's machine runs


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zipfile.ZipFile]:
    """Both, built as pip builds them."""
    built = {}
    for name, place in PLACES.items():
        folder = tmp_path_factory.mktemp("wheel")
        build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
        done = subprocess.run(
            [sys.executable, "-P", "-c", build, folder], cwd=place, check=True, capture_output=True, text=True
        )
        built[name] = zipfile.ZipFile(folder / done.stdout.strip())
    return built


def metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def requirements(wheel: zipfile.ZipFile) -> list[Requirement]:
    return [Requirement(line) for line in metadata(wheel).get_all("Requires-Dist") or ()]


def imports(package: str) -> Iterator[tuple[str, str]]:
    """The file, and the top level of a module of others that it imports anywhere."""
    for path in (REPOSITORY / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names | OWN:
                    yield str(path.relative_to(REPOSITORY)), top


def test_each_package_is_of_one_distribution_and_no_file_is_of_both(wheels) -> None:
    files = {name: set(wheel.namelist()) for name, wheel in wheels.items()}
    assert not files["trainshed"] & files["trainshed-client"]
    packages = {
        name: {file.partition("/")[0] for file in held if ".dist-info" not in file} for name, held in files.items()
    }
    assert packages == {"trainshed": {"engine", "worker", "service"}, "trainshed-client": {"trainshed"}}


def test_every_file_of_the_checkout_s_packages_is_installed(wheels) -> None:
    installed = {name for wheel in wheels.values() for name in wheel.namelist()}
    for package in OWN:
        files = [
            path for path in (REPOSITORY / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        assert {str(path.relative_to(REPOSITORY)) for path in files} - installed == set()


def test_both_are_of_one_version(wheels) -> None:
    assert {metadata(wheel)["Version"] for wheel in wheels.values()} == {version("trainshed")}
    assert version("trainshed-client") == version("trainshed")


def test_the_service_brings_the_client_of_its_own_checkout(wheels) -> None:
    (client,) = [needed for needed in requirements(wheels["trainshed"]) if needed.name == "trainshed-client"]
    assert client.url == PLACES["trainshed-client"].as_uri()


def test_the_client_s_source_distribution_makes_the_same_wheel(wheels, tmp_path) -> None:
    build = "from hatchling.build import build_sdist; build_sdist('{}')"
    subprocess.run(
        [sys.executable, "-P", "-c", build.format(tmp_path)], cwd=PLACES["trainshed-client"], check=True, stdout=-3
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    subprocess.run(["tar", "xzf", archive, "-C", tmp_path], check=True)
    build = "from hatchling.build import build_wheel; build_wheel('..')"
    subprocess.run(
        [sys.executable, "-P", "-c", build], cwd=archive.with_suffix("").with_suffix(""), check=True, stdout=-3
    )
    (again,) = tmp_path.glob("*.whl")
    assert {one.filename: one.CRC for one in zipfile.ZipFile(again).infolist()} == {
        one.filename: one.CRC for one in wheels["trainshed-client"].infolist()
    }


@pytest.mark.parametrize("name", PLACES)
def test_a_checkout_that_is_installed_as_it_is_serves_its_files_and_no_copy(name, tmp_path) -> None:
    build = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    subprocess.run([sys.executable, "-P", "-c", build, tmp_path], cwd=PLACES[name], check=True)
    (built,) = tmp_path.glob("*.whl")
    wheel = zipfile.ZipFile(built)
    (pointer,) = [file for file in wheel.namelist() if ".dist-info" not in file]
    assert pointer.endswith(".pth") and wheel.read(pointer).decode().split() == [str(REPOSITORY)]


@pytest.mark.parametrize("package", sorted(OWN))
def test_what_is_imported_is_declared(wheels, package) -> None:
    service = {canonicalize_name(needed.name) for needed in requirements(wheels["trainshed"])}
    client = {canonicalize_name(needed.name) for needed in requirements(wheels["trainshed-client"])}
    owners = packages_distributions() | {"cupy": ["cupy-cuda12x"]}  # which no machine without a GPU has
    undeclared = []
    for file, module in imports(package):
        allowed = service | client if package != "trainshed" or file in STARTERS else client
        if not allowed & {canonicalize_name(owner) for owner in owners.get(module, [])}:
            undeclared.append((file, module))
    assert undeclared == []


def test_a_program_that_imports_the_client_loads_httpx_and_nothing_of_the_command_or_the_service() -> None:
    look = "import sys, trainshed; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-P", "-c", look], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "httpx" in loaded
    assert not loaded & {"pydantic", "numpy", "numba", "typer", "engine", "worker", "service"}


@pytest.mark.parametrize("command", ["demo", "serve", "api", "worker", "doctor", "alive"])
def test_the_command_says_in_a_sentence_what_the_client_alone_lacks(monkeypatch, command) -> None:
    def installed(name: str) -> str:
        if name == "trainshed":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(service, "installed", installed)
    result = CliRunner().invoke(cli.app, [command])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"`trainshed {command}` needs the service, and only the client is installed here")
    assert result.stderr.count("\n") == 1 and not result.stdout
