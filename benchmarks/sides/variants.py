"""Variant scores, each side a whole process from the files to the file.

Data have ``timed`` (a window of even length) and ``checked`` (an odd one: for an even length the
sides put the variant left or right of the middle), each with model, network, FASTA and VCF.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Batched", "Naive", "Selene", "Seqcnn"]


class _Command:
    """A command that scores the VCF of some number of variants."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.threads = str(data["threads"])
        self.folder = Path(data["folder"]) / type(self).__name__.lower()
        self.folder.mkdir(exist_ok=True)
        self.setting: dict[str, Any] = {}

    def choose(self, setting: dict[str, Any]) -> None:
        self.setting = setting

    def run(self, size: int) -> int:
        """Score the file of `size` variants."""
        self._call(self.data["timed"], self.data["timed"]["variants"][str(size)])
        return size

    def answer(self) -> np.ndarray:
        path = self.data["checked"]["variants"]
        self._call(self.data["checked"], path)
        return self.read(Path(path))

    def _call(self, case: dict[str, Any], variants: str) -> None:
        done = subprocess.run(
            self.words(case, variants),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])

    def words(self, case: dict[str, Any], variants: str) -> list[str]:
        """Give the command."""
        raise NotImplementedError

    def read(self, variants: Path) -> np.ndarray:  # noqa: ARG002
        """Read the deltas that the command wrote."""
        rows = (self.folder / "out.tsv").read_text().splitlines()
        return np.array([float(row.split("\t")[4]) for row in rows])


class Seqcnn(_Command):
    """``seqcnn score-variants``, to a VCF."""

    def words(self, case: dict[str, Any], variants: str) -> list[str]:
        words = [sys.executable, "-m", "seqcnn", "score-variants", "-m", case["model"]]
        words += ["--fasta", case["fasta"], variants, "-o", str(self.folder / "out.vcf")]
        return [*words, "--threads", self.threads, "--device", "cpu", "--force", "--quiet"]

    def read(self, variants: Path) -> np.ndarray:  # noqa: ARG002
        import pysam

        with pysam.VariantFile(str(self.folder / "out.vcf")) as records:
            names = [name for name in records.header.info if name.lower().endswith("delta")]
            return np.array([record.info[names[0]][0] for record in records], dtype=float)


class _Script(_Command):
    script = ""

    def words(self, case: dict[str, Any], variants: str) -> list[str]:
        words = [sys.executable, "-m", f"benchmarks.scripts.{self.script}", case["network"]]
        words += [case["fasta"], variants, str(self.out), str(case["length"]), self.threads]
        return words + [str(value) for value in self.setting.values()]

    @property
    def out(self) -> Path:
        return self.folder / "out.tsv"


class Naive(_Script):
    """Record by record; passes of single sequences may be faster on one thread."""

    script = "naive_variants"

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.settings = [{"threads": threads} for threads in range(data["threads"], 0, -1)]
        self.setting = self.settings[0]

    def words(self, case: dict[str, Any], variants: str) -> list[str]:
        self.threads = str(self.setting["threads"])
        return super().words(case, variants)[:-1]


class Batched(_Script):
    """Plain batches."""

    script = "batched_variants"

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.settings = [{"batch": batch} for batch in data["batches"]]
        self.setting = self.settings[0]


class Selene(_Script):
    """selene-sdk's `variant_effect_prediction`."""

    script = "selene_variants"

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.settings = [{"batch_size": batch} for batch in data["batches"]]
        self.setting = self.settings[0]

    @property
    def out(self) -> Path:
        return self.folder

    def read(self, variants: Path) -> np.ndarray:
        rows = (self.folder / f"{variants.stem}_diffs.tsv").read_text().splitlines()
        column = rows[0].split("\t").index("site")
        return np.array([float(row.split("\t")[column]) for row in rows[1:]])
