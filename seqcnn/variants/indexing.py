"""Indexes of VCF.gz and BCF files: CSI, or TBI for readers that know no other.

Both are made by htslib. Its rules are: the records of a contig stand together, ordered by
position; no position beyond 2^29 in a TBI.
"""

import logging
from itertools import pairwise
from pathlib import Path

import pysam

from seqcnn.errors import ConfigError, VcfError
from seqcnn.files import whole_file
from seqcnn.variants.vcf import VcfReader

__all__ = ["INDEX_KINDS", "check_indexable", "index_path", "index_variants"]

_LOG = logging.getLogger(__name__)

INDEX_KINDS = ("csi", "tbi")
"""The kinds of index, the usual one first."""

_TBI_LIMIT = 1 << 29
_SORT = "sort it, then index: bcftools sort -Oz -o NEW.vcf.gz {}; bcftools index NEW.vcf.gz"


def index_path(path: Path, kind: str = "csi") -> Path:
    """Name the index of a file."""
    return path.with_name(f"{path.name}.{kind}")


def check_indexable(target: str | Path, output: str, kind: str = "csi") -> None:
    """Refuse, before any work, an output that can have no such index.

    Parameters
    ----------
    target
        Where the records go.
    output
        As `seqcnn.variants.output_kind` gives it.
    kind
        One of `INDEX_KINDS`.

    Raises
    ------
    ConfigError
        When it goes to standard output or a device, is not compressed, or is a BCF that shall
        have a TBI.
    """
    if kind not in INDEX_KINDS:
        raise ConfigError("-W", f"{kind!r} is no index", expected=" or ".join(INDEX_KINDS))
    if str(target) == "-" or (Path(target).exists() and not Path(target).is_file()):
        raise ConfigError("-W", "only a file can have an index", remedy="name one with -o")
    if output not in {"z", "b"}:
        found = f"{target} is not compressed, so can have no index"
        raise ConfigError("-W", found, expected="VCF.gz or BCF", remedy="give -O z or -O b")
    if output == "b" and kind == "tbi":
        raise ConfigError("-W", "a BCF can have no TBI", expected="csi, or VCF.gz")


def index_variants(path: Path, kind: str = "csi") -> Path:
    """Write the index of a whole VCF.gz or BCF beside it, and give its name.

    Parameters
    ----------
    path
        The file; it is only read.
    kind
        One of `INDEX_KINDS`.

    Raises
    ------
    VcfError
        When the file is not sorted, or a position is too large for the index.
    ConfigError
        When a BCF shall have a TBI, or nothing can be written there.
    """
    check_indexable(path, "b" if _is_bcf(path) else "z", kind)
    pysam.set_verbosity(0)
    index = index_path(path, kind)
    with whole_file(index) as partial:
        try:
            pysam.tabix_index(
                str(path),
                preset="vcf",  # htslib sees by itself what is a BCF
                index=str(partial),
                force=True,
                csi=kind == "csi",
            )
        except OSError as problem:
            raise _explain(path, kind) from problem
    _warn_of_others(path, index)
    return index


def _is_bcf(path: Path) -> bool:
    with pysam.BGZFile(str(path), "rb", None) as file:
        return bool(file.read(3) == b"BCF")


def _explain(path: Path, kind: str) -> VcfError:
    """Find out why htslib made no index."""
    with VcfReader(path) as reader:
        seen: set[str] = set()
        last = ("", 0)
        for block in reader.blocks():
            places = list(zip(block.contigs, block.positions.tolist(), strict=True))
            for before, (contig, position) in pairwise([last, *places]):
                moved = contig != before[0]
                if (moved and contig in seen) or (not moved and position < before[1]):
                    return _unsorted(path, before, (contig, position))
                if kind == "tbi" and position > _TBI_LIMIT:
                    found = f"a TBI has no place for {contig}:{position}"
                    return VcfError(path, found, remedy="make a CSI: -W csi")
                seen.add(contig)
            last = places[-1]
    return VcfError(path, "htslib can make no index of it", remedy=f"try: bcftools index {path}")


def _unsorted(path: Path, before: tuple[str, int], after: tuple[str, int]) -> VcfError:
    return VcfError(
        path,
        f"is whole, but not sorted, so can have no index: {after[0]}:{after[1]} comes after"
        f" {before[0]}:{before[1]}",
        remedy=_SORT.format(path),
    )


def _warn_of_others(path: Path, index: Path) -> None:
    for kind in INDEX_KINDS:
        other = index_path(path, kind)
        if other != index and other.is_file() and other.stat().st_mtime < path.stat().st_mtime:
            _LOG.warning("%s is the index of an earlier file: remove it", other)
