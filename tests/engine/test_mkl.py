"""What holds with NumPy's products holds with MKL's: with those of a fake one, and in `make accept` with Intel's."""

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine.kernels import blas
from engine.kernels.mkl import Mkl
from tests.engine.problems import PROBLEMS, Problem
from tests.engine.test_evaluation import test_every_loss_of_every_target as every_loss_is_judged
from tests.engine.test_kernels import BATCHES, CLIPS, DEEP, assert_same
from tests.engine.test_kernels import test_products_that_threads_divide_by_columns as columns_are_divided
from tests.engine.test_kernels import test_whoever_takes_a_panel_makes_the_same_of_it as whoever_makes_the_same

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_mkl.c")
INTELS = ROOT / ".venv-clients/lib"


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Builds an MKL that answers so when it is asked for reproducible products."""

    if (compiler := shutil.which("gcc")) is None:
        pytest.skip("MKL is faked by a library in C, and there is no gcc")

    @cache
    def build(refuses: int = 0) -> Path:
        path = tmp_path_factory.mktemp("mkl") / "libmkl_rt.so.0"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", f"-DREFUSES={refuses}", FAKE, "-o", path], check=True)
        return path

    return build


@pytest.fixture(params=["fake", pytest.param("Intel's", marks=pytest.mark.clients)])
def mkl(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mkl:
    """Its products are the kernels' until the test ends."""
    if request.param == "fake":
        path = request.getfixturevalue("fake")()
    else:
        path = next(INTELS.glob("libmkl_rt.*"), INTELS / "libmkl_rt.so, which `make clients` installs")
    for kind, address in blas.GEMM.items():
        monkeypatch.setitem(blas.GEMM, kind, address)
    monkeypatch.setattr(blas, "used", blas.used)
    library = Mkl(path)
    blas.use(library)
    return library


@pytest.mark.usefixtures("mkl")
@pytest.mark.parametrize("clip", CLIPS, ids=str)
def test_a_run_is_that_of_the_formulas(clip: dict[str, float]) -> None:
    layers = [layer or {"type": "relu"} for layer in DEEP]
    assert_same(layers=layers, training={"batch_size": 16} | clip, optimizer=BATCHES["optimizer"],
                regularization={"l2": 0.1})  # fmt: skip


@pytest.mark.usefixtures("mkl")
def test_products_are_divided_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    columns_are_divided("three classes", monkeypatch)
    whoever_makes_the_same({}, monkeypatch)


@pytest.mark.usefixtures("mkl")
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_sets_are_judged(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    every_loss_is_judged(problem, monkeypatch)


@pytest.mark.parametrize("sizes", [(64, 32, 784), (13, 10, 77), (128, 512, 512)], ids=str)
def test_a_product_has_the_same_bits_wherever_its_matrices_are(mkl: Mkl, sizes: tuple[int, int, int]) -> None:
    m, n, k = sizes
    generator = np.random.default_rng(0)
    A, B = generator.standard_normal((m, k), np.float32), generator.standard_normal((k, n), np.float32)
    first = placed(product(mkl, A, B), 0)
    for shifts in ((1, 0, 0), (0, 3, 0), (0, 0, 5), (7, 9, 11), (8, 8, 8)):
        again = product(mkl, placed(A, shifts[0]), placed(B, shifts[1]), shifts[2])
        np.testing.assert_array_equal(again, first)
    np.testing.assert_allclose(first, A @ B, rtol=1e-4, atol=1e-4)


def placed(numbers: np.ndarray, shift: int) -> np.ndarray:
    """The same matrix, so many numbers behind an address that is a multiple of 64 bytes."""
    room = np.zeros(numbers.size + 32, numbers.dtype)
    start = -room.ctypes.data // room.itemsize % 16 + shift
    room[start : start + numbers.size] = numbers.reshape(-1)
    return room[start : start + numbers.size].reshape(numbers.shape)


def product(mkl: Mkl, A: np.ndarray, B: np.ndarray, shift: int = 0) -> np.ndarray:
    (m, k), n = A.shape, B.shape[1]
    C = placed(np.zeros((m, n), np.float32), shift)
    function = mkl.product("s")
    word, whole, number, matrix = ctypes.c_int, ctypes.c_int64, ctypes.c_float, [ctypes.c_void_p, ctypes.c_int64]
    function.argtypes = [word] * 3 + [whole] * 3 + [number, *matrix, *matrix, number, *matrix]
    function(blas.ROW_MAJOR, blas.AS_IT_IS, blas.AS_IT_IS, m, n, k, 1, A.ctypes.data, k, B.ctypes.data, n, 0,
             C.ctypes.data, n)  # fmt: skip
    return C


def test_it_is_asked_to_be_sequential_and_reproducible(fake: Callable[..., Path]) -> None:
    assert Mkl(fake()).name == "MKL 1.2, branch 12"  # the fake one answers 10 × threading layer + mode


def test_one_that_cannot_promise_the_same_bits_is_refused(fake: Callable[..., Path]) -> None:
    with pytest.raises(OSError, match="MKL_CBWR_Set answers 8"):
        Mkl(fake(8))


SAY = "from engine.kernels import blas; print(blas.used and blas.used.name, all(blas.GEMM.values()))"


@pytest.mark.parametrize(
    ("sound", "said", "warning"),
    [(True, "MKL 1.2, branch 12 True\n", ""), (False, "None True\n", "MKL is installed but not used: ")],
)
def test_it_is_used_where_it_is_installed_and_can_be_loaded(
    tmp_path: Path, fake: Callable[..., Path], sound: bool, said: str, warning: str
) -> None:
    """Where a package puts the library is written in its RECORD."""
    about = tmp_path / "site" / "mkl-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mkl\nVersion: 1.2\n")
    (about / "RECORD").write_text("../lib/libmkl_core.so.0,,\n../lib/libmkl_rt.so.0,,\nmkl-1.2.dist-info/RECORD,,\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libmkl_rt.so.0").write_bytes(fake().read_bytes() if sound else b"no library")
    told = subprocess.run(
        [sys.executable, "-P", "-c", SAY], cwd=ROOT, env={"PYTHONPATH": str(tmp_path / "site")}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert told.stdout == said
    assert warning in told.stderr and bool(warning) == bool(told.stderr)
