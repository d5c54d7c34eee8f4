"""The data sets: what is learned from, and what is tested on."""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["DataSet", "find_sets", "read_labelled"]

_ENCODE = {
    "ARID3A": "D00736.002",
    "CTCFL": "D00753.001",
    "FOXA1": "D00761.001",
    "GABPA": "D00409.004",
    "MYC": "D00785.001",
    "SUZ12": "D00812.001",
    "TCF12": "D00818.003",
    "USF1": "D00700.006",
    "ZBTB7A": "D00714.004",
}
"""Factors of ENCODE, and the published DeepBind model of each."""

_CLIP = {"QKI": "D00129.001", "TDP43": "D00156.001", "U2AF65": "D00159.001"}
_YEAST = ("Abf1", "Fkh1", "Mcm1", "Reb1", "Sko1")
_DREAM5 = ("23", "25", "31", "40", "44")


@dataclass(frozen=True)
class DataSet:
    """A factor with its data.

    Attributes
    ----------
    name, group
        The factor, and the collection that it comes from.
    words
        What ``seqcnn train`` is told of the data.
    train, test
        FASTA-like files of the same for peers that know no genome; see `read_labelled`.
    original
        The published DeepBind model, if there is one.
    """

    name: str
    group: str
    words: tuple[str, ...]
    train: Path | None = None
    test: Path | None = None
    original: str = ""

    @property
    def is_rna(self) -> bool:
        """Whether it has one strand."""
        return self.group == "clip_rna"


def find_sets(data: Path, work: Path) -> Iterator[DataSet]:
    """List the sets whose files are there; what has to be written goes to a work folder."""
    work.mkdir(parents=True, exist_ok=True)
    for name, original in _ENCODE.items():
        found = sorted((data / "encode_chipseq").glob(f"{name}_*_AC.seq.gz"))
        if found:
            train = found[0]
            test = train.with_name(train.name.replace("_AC.", "_B."))
            words = ("--seq", str(train), "--test", str(test))
            yield DataSet(name, "encode_chipseq", words, train, test, original)
    for name, original in _CLIP.items():
        found = sorted((data / "clip_rna").glob(f"*_{name}_*.training.fa.gz"))
        if found:
            test = found[0].with_name(found[0].name.replace(".training.", ".test."))
            files = {"train": found[0], "test": test}
            sides = [_as_seq(path, work / f"{name}.{side}.seq") for side, path in files.items()]
            words = ("--seq", str(sides[0]), "--test", str(sides[1]), "--alphabet", "rna")
            words += ("--ranks", "none")  # the files go along the chromosomes
            yield DataSet(name, "clip_rna", words, *sides, original)
    for number in _DREAM5:
        path = data / "dream5_chipseq" / f"TF_{number}_CHIP_100_genomic.seq"
        if path.exists():
            sides = _halve(path, work, f"TF_{number}")
            words = ("--seq", str(sides[0]), "--test", str(sides[1]), "--ranks", "none")
            yield DataSet(f"TF_{number}", "dream5_chipseq", words, *sides)
    genome = next(iter(sorted((data / "yeast").glob("*.fa*"))), None)
    for name in _YEAST:
        peaks = sorted((data / "yeast").glob(f"*{name}*.bed*"))
        if genome and peaks:
            words = ("--peaks", f"{name}={peaks[0]}", "--fasta", str(genome))
            words += ("--background", "gc", "--test", "chr4,chr12", "--validation", "chr7")
            yield DataSet(name, "yeast", words)
    ctcf = data / "ctcf_hg19_chr14-22"
    if ctcf.is_dir():
        words = ("--positives", str(ctcf / "postest.fa.gz"), "--negatives")
        words += (str(ctcf / "negtest.fa.gz"), "--length", "101", "--test", "0.2")
        yield DataSet("CTCF", "ctcf_hg19", words)


def _as_seq(fasta: Path, seq: Path) -> Path:
    """Write a FASTA whose names end in ``class:0`` or ``class:1`` as a .seq."""
    rows: list[tuple[str, int]] = []
    with gzip.open(fasta, "rt") as lines:
        for line in lines:
            if line.startswith(">"):
                rows.append(("", int(line.rsplit(":", 1)[1])))
            else:
                rows[-1] = (rows[-1][0] + line.strip(), rows[-1][1])
    return _write(seq, rows)


def _halve(path: Path, work: Path, name: str) -> list[Path]:
    """Part labelled sequences into two halves, drawn at random once and for all."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    order = np.random.default_rng(1).permutation(len(rows))
    parts = order[: len(rows) // 2], order[len(rows) // 2 :]
    return [
        _write(work / f"{name}.{side}.seq", ((rows[i][0], int(float(rows[i][1]))) for i in part))
        for side, part in zip(("train", "test"), parts, strict=True)
    ]


def _write(path: Path, rows: Iterable[tuple[str, int]]) -> Path:
    lines = ["FoldID\tEventID\tseq\tBound"]
    lines += [f"A\tseq{i:05d}\t{letters}\t{label}" for i, (letters, label) in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read_labelled(path: Path) -> tuple[list[str], np.ndarray]:
    """Read a .seq or .seq.gz."""
    whole = path.read_bytes()
    text = (gzip.decompress(whole) if path.suffix == ".gz" else whole).decode()
    rows = [line.split() for line in text.splitlines()[1:]]
    return [row[2].upper() for row in rows], np.array([int(row[3]) for row in rows])
