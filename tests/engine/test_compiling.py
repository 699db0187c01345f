"""What is compiled is kept for every later process, whoever else compiles at that moment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KERNEL = """
from engine.compiling import entrance

@entrance
def twice(x):
    return x + x
"""
# Between reading what is kept and writing that with its own, each waits until the other must have read it, too.
COMPILE = """
import sys, time
import numpy as np
from numba.core.caching import IndexDataCacheFile
from kernel import twice

save = IndexDataCacheFile._save_index
IndexDataCacheFile._save_index = lambda self, entries: (time.sleep(1), save(self, entries))[1]
print("ready", flush=True)
sys.stdin.readline()
twice(np.dtype(sys.argv[1]).type(1))
"""
LOOK = """
import numpy as np
from kernel import twice

for kind in ("float32", "float64"):
    twice(np.dtype(kind).type(1))
print(sum(twice.stats.cache_hits.values()), sum(twice.stats.cache_misses.values()))
"""


@pytest.mark.accept
def test_two_processes_that_compile_one_function_at_once_keep_both(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(KERNEL)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    both = [
        subprocess.Popen([sys.executable, "-P", "-c", COMPILE, kind], env=environment, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for kind in ("float32", "float64")
    ]  # fmt: skip
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait() for process in both] == [0, 0]
    look = subprocess.check_output([sys.executable, "-P", "-c", LOOK], env=environment, text=True)
    assert look == "2 0\n"
