"""The product's name: in the texts, and not in the files that it writes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors import safe_open

from engine import JobSpec, Network, load_sample, prepare, train

REPOSITORY = Path(__file__).parent.parent
PLACES = ("engine", "worker", "service", "trainshed", "client", "deploy", "docs", "scripts", "benchmarks", "tests")
TEXTS = (".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".html", ".js", "")
INDEX_NAME = re.compile(r"""pip install\s+(?:-\S+\s+)*["']?train(?:shed|backend)""")
FORMER_NAME = re.compile("train" + "backend", re.IGNORECASE)


def texts() -> Iterator[tuple[Path, str]]:
    """The files of the project that people read."""
    beside = [path for path in REPOSITORY.iterdir() if path.is_file()]
    inside = [path for place in PLACES for path in (REPOSITORY / place).rglob("*") if path.is_file()]
    for path in beside + inside:
        if path.suffix in TEXTS and path.name not in (".git", ".coverage") and "__pycache__" not in path.parts:
            yield path, path.read_text(errors="replace")


@pytest.mark.parametrize("pattern", [INDEX_NAME, FORMER_NAME], ids=["an index's name", "the former name"])
def test_no_text_has(pattern: re.Pattern[str]) -> None:
    assert [str(path) for path, text in texts() if pattern.search(text)] == []


def test_the_search_finds_what_it_looks_for() -> None:
    assert INDEX_NAME.search('pip install "' + 'trainshed[gpu]"') and INDEX_NAME.search("pip install -U " + "trainshed")
    assert not INDEX_NAME.search("pip install onnx") and not INDEX_NAME.search("pip install .")


def test_a_model_file_carries_no_name_of_a_product(tmp_path: Path) -> None:
    spec = JobSpec.model_validate({"data": {"train": "iris", "target": "label"}, "training": {"epochs": 1}})
    data = prepare(spec.data, {"iris": load_sample("iris")}, loss=spec.loss.type, dtype=spec.precision)
    *_, last = train(Network.of(spec, data.preprocessor), spec, data)
    last.model.save(tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="numpy") as file:
        metadata = file.metadata()
    assert "trainshed" not in json.dumps(metadata) and list(metadata) == ["model"]
