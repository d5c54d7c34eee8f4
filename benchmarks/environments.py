"""Environments of the peers: one folder each, made by pip when it is first needed."""

import hashlib
import subprocess
import sys
from pathlib import Path

__all__ = ["InstallationError", "environment_python"]

_HERE = Path(__file__).parent
_FOLDER = _HERE / ".environments"

_STEPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "tangermeme": (("-r", "requirements-tangermeme.txt"),),
    "gkmsvm": (("-r", "requirements-gkmsvm.txt"),),
    "readers": (("-r", "requirements-readers.txt"),),
    "selene": (
        ("-r", "requirements-selene.txt"),
        ("--no-deps", "--no-build-isolation", "-r", "requirements-selene-itself.txt"),
    ),
}
"""What pip is called with for each environment, one call after the other."""


class InstallationError(Exception):
    """A peer that cannot be installed; the message is pip's last line of error."""


def environment_python(name: str) -> str:
    """Give the interpreter of an environment, after making it where it is missing or old.

    Parameters
    ----------
    name
        Key of an environment; the empty name is the one that runs the benchmarks.

    Raises
    ------
    InstallationError
        When pip cannot install what it needs.
    """
    if not name:
        return sys.executable
    folder = _FOLDER / name
    python, stamp = folder / "bin" / "python", folder / "made"
    wanted = _digest(name)
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"making {folder} (once)", file=sys.stderr)
        _call([sys.executable, "-m", "venv", "--clear", str(folder)])
        for step in _STEPS[name]:
            _call([str(python), "-m", "pip", "install", "-q", *step])
        stamp.write_text(wanted)
    return str(python)


def _digest(name: str) -> str:
    files = [word for step in _STEPS[name] for word in step if word.endswith(".txt")]
    text = "".join((_HERE / file).read_text() for file in files)
    return hashlib.sha256(f"{sys.version}\n{text}".encode()).hexdigest()


def _call(words: list[str]) -> None:
    done = subprocess.run(words, cwd=_HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error")]
        last = (errors or done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InstallationError(f"pip: {last.strip()}")
