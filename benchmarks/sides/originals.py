"""Scores of many imported models: all together, command by command, one after the other."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Commands", "OneByOne", "Process", "Together"]

_CHECKED = 5
"""Models of which the answers are compared."""


class _Commands:
    """``seqcnn predict`` on the sequences, in processes of their own."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.out = Path(data["folder"]) / f"{type(self).__name__.lower()}.tsv"

    def _predict(self, model: str) -> None:
        words = [sys.executable, "-m", "seqcnn", "predict", "-m", model, self.data["fasta"]]
        words += ["-o", str(self.out), "--threads", str(self.data["threads"])]
        subprocess.run([*words, "--device", "cpu", "--force", "--quiet"], check=True)

    def _read(self) -> np.ndarray:
        """Give the logits (models, sequences) that were written."""
        rows = self.out.read_text(encoding="utf-8").splitlines()
        column = rows[0].split("\t").index("logit")
        logits = np.array([float(row.split("\t")[column]) for row in rows[1:]])
        return logits.reshape(self.data["sequences"], -1).T


class Process(_Commands):
    """One command with all models."""

    def run(self, size: int) -> int:
        self._predict(self.data["all"])
        return size * self.data["sequences"]

    def answer(self) -> np.ndarray:
        self._predict(self.data["all"])
        return self._read()[:_CHECKED]


class Commands(_Commands):
    """One command for each model."""

    def run(self, size: int) -> int:
        for model in self.data["models"][:size]:
            self._predict(model)
        return size * self.data["sequences"]

    def answer(self) -> np.ndarray:
        found = []
        for model in self.data["models"][:_CHECKED]:
            self._predict(model)
            found.append(self._read()[0])
        return np.array(found)


class _InProcess:
    """The engine, in this process; reading the models is counted."""

    def __init__(self, data: dict[str, Any]) -> None:
        from seqcnn.fasta import read_fasta_records

        self.data = data
        self.codes = np.stack([codes for _, codes in read_fasta_records(Path(data["fasta"]))])

    def _score(self, model: str) -> np.ndarray:
        """Give the logits (models, sequences)."""
        from seqcnn.engine import Engine
        from seqcnn.modelfile import read_model

        engine = Engine(read_model(Path(model)), threads=self.data["threads"])
        return np.asarray(engine.predict(self.codes).logits.T)


class Together(_InProcess):
    """All models as one."""

    def run(self, size: int) -> int:
        self._score(self.data["all"])
        return size * len(self.codes)

    def answer(self) -> np.ndarray:
        return self._score(self.data["all"])[:_CHECKED]


class OneByOne(_InProcess):
    """Model after model."""

    def run(self, size: int) -> int:
        for model in self.data["models"][:size]:
            self._score(model)
        return size * len(self.codes)

    def answer(self) -> np.ndarray:
        models = self.data["models"][:_CHECKED]
        return np.concatenate([self._score(model) for model in models])
