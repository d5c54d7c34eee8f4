"""Windows at random places of a bgzipped FASTA, as codes (n, length)."""

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Pyfaidx", "Pysam", "Seqcnn", "SeqcnnLoaded"]

_CHECKED = 100
_TABLE = np.full(256, 4, dtype=np.uint8)
for _code, _letter in enumerate("ACGT"):
    _TABLE[[ord(_letter), ord(_letter.lower())]] = _code


class Seqcnn:
    """Open the FASTA, read its contigs as codes, gather: everything counted."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.places = np.load(data["places"])
        self.names = data["contigs"]

    def run(self, size: int) -> int:
        """Read `size` windows."""
        self._read(size)
        return size

    def answer(self) -> np.ndarray:
        return self._read(_CHECKED)

    def _read(self, size: int) -> np.ndarray:
        from seqcnn.genome import open_genome

        with open_genome(Path(self.data["fasta"])) as genome:
            return self._gather(genome, size)

    def _gather(self, genome: Any, size: int) -> np.ndarray:
        from seqcnn.genome import gather_windows

        contigs, starts = self.places[:, np.arange(size) % self.places.shape[1]]
        windows = np.empty((size, self.data["length"]), dtype=np.uint8)
        for number, name in enumerate(self.names):
            here = np.flatnonzero(contigs == number)
            codes = genome.codes(name)
            windows[here] = gather_windows(codes, starts[here], self.data["length"])
        return windows


class SeqcnnLoaded(Seqcnn):
    """The same with the contigs in memory already: the gathering alone."""

    def __init__(self, data: dict[str, Any]) -> None:
        from seqcnn.genome import open_genome

        super().__init__(data)
        with open_genome(Path(data["fasta"])) as genome:
            self.loaded = {name: genome.codes(name) for name in self.names}

    def _read(self, size: int) -> np.ndarray:
        return self._gather(_Loaded(self.loaded), size)


class _Loaded:
    def __init__(self, contigs: dict[str, np.ndarray]) -> None:
        self.contigs = contigs

    def codes(self, name: str) -> np.ndarray:
        return self.contigs[name]


class _Fetching:
    """A reader that is asked for one window after the other."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.places = np.load(data["places"])

    def run(self, size: int) -> int:
        """Read `size` windows."""
        self._read(size)
        return size

    def answer(self) -> np.ndarray:
        return self._read(_CHECKED)

    def _read(self, size: int) -> np.ndarray:
        names, length = self.data["contigs"], self.data["length"]
        windows = np.empty((size, length), dtype=np.uint8)
        for row, (contig, start) in enumerate(self.places[:, :size].T.tolist()):
            letters = self.fetch(names[contig], start, start + length)
            windows[row] = _TABLE[np.frombuffer(letters.encode(), dtype=np.uint8)]
        return windows

    def fetch(self, name: str, start: int, end: int) -> str:
        raise NotImplementedError


class Pysam(_Fetching):
    """`pysam.FastaFile.fetch`."""

    def __init__(self, data: dict[str, Any]) -> None:
        import pysam

        super().__init__(data)
        self.file = pysam.FastaFile(data["fasta"])

    def fetch(self, name: str, start: int, end: int) -> str:
        return self.file.fetch(name, start, end)


class PysamPlain(Pysam):
    """The same on a FASTA that is not packed."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__({**data, "fasta": data["plain"]})


class Pyfaidx(_Fetching):
    """`pyfaidx.Fasta`."""

    def __init__(self, data: dict[str, Any]) -> None:
        import pyfaidx

        super().__init__(data)
        self.file = pyfaidx.Fasta(data["fasta"], sequence_always_upper=True, as_raw=True)

    def fetch(self, name: str, start: int, end: int) -> str:
        return self.file[name][start:end]
