"""What the machine, the code and the day are."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.processes import THREADS

__all__ = ["describe_machine"]

_ROOT = Path(__file__).parent.parent


def describe_machine(threads: int = THREADS) -> dict[str, str]:
    """Name processor, cores and how many threads were used, memory, system, commit and date."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": f"{os.cpu_count()} ({threads} thread{'s' * (threads > 1)} used)",
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": _system(),
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    found = dict(
        tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line
    )
    name = found.get("model name", platform.processor())
    family = ", ".join(f"{key} {found[key]}" for key in ("cpu family", "model") if key in found)
    wide = "with" if "avx512f" in found.get("flags", "") else "without"
    return f"{name} ({family}; {wide} AVX-512)"


def _system() -> str:
    release = ".".join(platform.release().split(".")[:2])
    try:
        distribution = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        distribution = ""
    words = [distribution, f"{platform.system()} {release}", platform.machine()]
    return ", ".join(word for word in words if word)


def _commit() -> str:
    """Name the commit; results that this run writes are no change of the code."""
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    return f"{commit}, with changes" if changed else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
