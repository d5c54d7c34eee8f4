"""The shards of one run put together: what one run of the whole would have written.

A shard's header is that of the whole, but for ``--shard I/N`` in the command and for a note, so
that it can be told whether the shards are of one run, and whether all of them are there.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqcnn.errors import InputError, VcfError

__all__ = ["NOTE", "Q_NOTE", "SHARD_NOTE", "order_shards", "whole_header"]

NOTE = "##seqcnn_scoreVariantsNote="
"""How the header line begins that tells of q-values."""

_NO_Q = "SEQCNN_P has no SEQCNN_Q yet, which needs the p-values of all records: "
Q_NOTE = f"{NOTE}{_NO_Q}seqcnn fdr IN.vcf.gz -o OUT.vcf.gz adds it"
SHARD_NOTE = f"{NOTE}{_NO_Q}put the shards together with seqcnn gather, then run seqcnn fdr"

_COMMAND = "##seqcnn_scoreVariantsCommand="
_SHARD = re.compile(rf"({_COMMAND}.*?) --shard ([0-9]+)/([0-9]+)(?= )")
_SHOWN = 60

Headers = Mapping[Path, Sequence[str]]


def whole_header(header: Sequence[str]) -> list[str]:
    """Give the header that the run of the whole has, made of a shard's."""
    return [
        Q_NOTE if line.startswith(NOTE) else _SHARD.sub(r"\1", line, count=1) for line in header
    ]


def order_shards(headers: Headers) -> list[Path]:
    """Put the files of one run into the order of its shards.

    Files without the command in their header (``--no-version``) stay in the order given.

    Parameters
    ----------
    headers
        Header lines of each file.

    Raises
    ------
    VcfError
        When the files are not of one run, or a shard is missing or there twice.
    """
    _check_alike(headers)
    places = {path: _place(header) for path, header in headers.items()}
    if not any(_COMMAND in "\n".join(header) for header in headers.values()):
        return list(headers)
    for path, place in places.items():
        if place is None:
            found = "its header tells of no --shard I/N"
            raise VcfError(path, found, expected="a shard that seqcnn score-variants wrote")
    found_at: dict[tuple[int, int], Path] = {}
    for path, place in places.items():
        assert place is not None
        if place in found_at:
            found = f"is shard {place[0]} of {place[1]}, and so is {found_at[place]}"
            raise VcfError(path, found, expected="each shard once")
        found_at[place] = path
    _check_complete(found_at)
    return [found_at[place] for place in sorted(found_at)]


def _place(header: Sequence[str]) -> tuple[int, int] | None:
    match = next((m for line in header if (m := _SHARD.match(line))), None)
    return None if match is None else (int(match[2]), int(match[3]))


def _check_alike(headers: Headers) -> None:
    (first, expected), *others = ((path, whole_header(h)) for path, h in headers.items())
    for path, header in others:
        if header != expected:
            odd = [line for line in header if line not in set(expected)]
            odd += [line for line in expected if line not in set(header)]
            told = f": {odd[0][:_SHOWN]!r}" if odd else ""
            raise VcfError(
                path,
                f"its header is not that of {first}{told}",
                expected="shards of one run: one model, one input, the same options",
            )


def _check_complete(found: Mapping[tuple[int, int], Path]) -> None:
    numbers = sorted({shards for _, shards in found})
    if len(numbers) > 1:
        raise InputError(
            "shards",
            f"some are of {numbers[0]}, and some of {numbers[1]}",
            expected="all shards of one run",
        )
    missing = [str(i) for i in range(1, numbers[0] + 1) if (i, numbers[0]) not in found]
    if missing:
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise InputError(
            "shards",
            f"{len(missing)} of {numbers[0]} missing: {some}",
            expected="all shards of one run",
            remedy="make them, or name them too",
        )
