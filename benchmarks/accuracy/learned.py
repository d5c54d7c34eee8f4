"""Which known motifs a model learned first, and which are expected of a factor."""

import csv
import itertools
import re
import sys
from pathlib import Path

from benchmarks.accuracy.commands import run_command

__all__ = ["EXPECTED", "FIRST", "is_expected", "name_first"]

FIRST = 3
"""Motifs that are looked at, the most important ones."""

_CERTAIN = 0.05  # largest q of a match

_E_BOX = "MYC|MAX|MXI1|MNT|MLX|USF|TFE|MITF|BHLHE4|ARNT|HES|HEY|CLOCK|NPAS2"  # CACGTG
_MYOGENIC = "TCF12|FIGLA|TCF3|TCF4|TCF21|MYO|MYF|ASCL|TAL1|NEURO|NHLH|PTF1A|TWIST|ATOH|MSC|LYL|HAND"
_ETS = "GABPA|ELK|ELF|ETS|ETV|FLI1|ERG|ERF|FEV|EHF|SPI|SPDEF"
# TDP-43 binds repeats of UG (Buratti & Baralle 2001, doi:10.1074/jbc.M104236200), as do CELF.
_UG_REPEATS = "TARDBP|BRUNOL|CELF"
_POLY_U = "U2AF2|TIA1|CPEB|HNRNPC|RALY|ELAVL|HuR"

EXPECTED = {
    "ARID3A": "ARID3",
    "CTCFL": "CTCF",
    "FOXA1": "FOX",
    "GABPA": _ETS,
    "MYC": _E_BOX,
    "TCF12": _MYOGENIC,
    "USF1": _E_BOX,
    "ZBTB7A": "ZBTB7",
    "Abf1": "ABF1",
    "Fkh1": "FKH|HCM1|FHL1",
    "Mcm1": "MCM1|ARG8|RLM1|SMP1",
    "Reb1": "REB1",
    "Sko1": "SKO1|CST6|ACA1",
    "CTCF": "CTCF",
    "Cebpb": "CEBP",
    "Egr2": "EGR",
    "Tbx3": "TBX|TBR|EOMES|MGA",
    "QKI": "QKI",
    "TDP43": _UG_REPEATS,
    "U2AF65": _POLY_U,
}
"""How the names of a factor's family begin in the collection, for sets whose factor has a motif."""

_COLLECTIONS = {
    "yeast": "JASPAR2024_CORE_fungi_nr.meme",
    "clip_rna": "Ray2013_rbp_RNA.meme",
}


def name_first(model: Path, group: str, motifs: Path, work: Path) -> list[str]:
    """Name the known motif that is most like each of a model's first motifs; '' where none is.

    Parameters
    ----------
    model
        A model file.
    group
        The collection of its data, which chooses that of the known motifs.
    motifs
        Folder of the known motifs.
    work
        Folder for what is written.
    """
    known = motifs / _COLLECTIONS.get(group, "JASPAR2024_CORE_vertebrates_nr.meme")
    out = work / "logos"
    words = ["export-logos", "-m", str(model), "--motifs", str(known), "--logos", "1"]
    command = [sys.executable, "-m", "seqcnn", *words, "--force", "-q", "-o", str(out)]
    run_command(command)
    with (out / "filters.tsv").open(encoding="utf-8") as lines:
        rows = list(itertools.islice(csv.DictReader(lines, delimiter="\t"), FIRST))
    certain = [row["q"] not in ("", ".") and float(row["q"]) < _CERTAIN for row in rows]
    return [row["best match"] if sure else "" for row, sure in zip(rows, certain, strict=True)]


def is_expected(name: str, found: str) -> bool:
    """Say whether a known motif is of the family that is expected of a set's factor."""
    words = re.split(r"[ :]+", found)
    return any(re.match(EXPECTED[name], word, re.IGNORECASE) for word in words)
