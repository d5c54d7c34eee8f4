"""Commands of which a benchmark wants to know only whether they failed."""

import os
import subprocess

__all__ = ["run_command"]


def run_command(command: list[str], *, threads: int = 1) -> None:
    """Run a command on so many threads; say the last line of what it said, if it fails."""
    settings = {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    done = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeError(f"{' '.join(command[2:5])}: {last}")
