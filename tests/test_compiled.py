"""Machine code of loops, as one process keeps it for the next."""

import subprocess
import sys

_LOOPS = """
import sys
import numpy as np
from seqcnn.engine.compiled import compile_kernel

@compile_kernel
def _square(value):
    return value * value

@compile_kernel
def sum_squares(values):
    out = np.zeros(1)
    for value in values:
        out[0] += _square(value)
    return out[0]

if __name__ == "__main__":
    import loops  # numba keeps nothing of a script
    print(loops.sum_squares(np.arange(4.0)))
    print("numba.np.arraymath" in sys.modules)
    print(loops.sum_squares(np.arange(4)))  # of another type: compiled anew
"""


def test_kept_loops_are_loaded_without_the_compiler(tmp_path) -> None:
    (tmp_path / "loops.py").write_text(_LOOPS)
    outputs = []
    for _ in range(3):
        words = [sys.executable, "loops.py"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
        outputs.append(done.stdout.split())
        for path in (tmp_path / "__pycache__").glob("*.2.nbc"):
            path.unlink()  # the second type's
    assert outputs == [["14.0", "True", "14.0"], *[["14.0", "False", "14.0"]] * 2]
