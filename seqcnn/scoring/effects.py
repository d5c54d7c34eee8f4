"""How large the effects are that a scored record tells of."""

import re
from collections.abc import Callable, Sequence

from seqcnn.errors import InputError

__all__ = ["largest_effect"]

_DELTA = re.compile(r"##INFO=<ID=(SEQCNN_DELTA(?:_[^,>]*)?),")
_NONE = -1.0


def largest_effect(header: Sequence[str], name: str) -> Callable[[str], float]:
    """Give what finds the largest absolute delta of a record, over its alleles and tasks.

    Parameters
    ----------
    header
        Header lines, which declare the deltas.
    name
        What the file is called in messages.

    Returns
    -------
    callable
        Line of a record -> its largest delta, or -1 where no allele has a score.

    Raises
    ------
    InputError
        When no deltas are declared; the callable, for one that is no number.
    """
    keys = {match[1] for line in header if (match := _DELTA.match(line))}
    if not keys:
        raise InputError(
            name,
            "has no scores (SEQCNN_DELTA)",
            expected="a VCF or BCF that seqcnn score-variants wrote",
        )

    def find(line: str) -> float:
        info = line.split("\t", 8)[7].rstrip("\r")
        items = [item.partition("=") for item in info.split(";")]
        texts = [text for key, _, values in items if key in keys for text in values.split(",")]
        try:
            return max((abs(float(text)) for text in texts if text != "."), default=_NONE)
        except ValueError:
            place = ":".join(line.split("\t", 2)[:2])
            raise InputError(
                f"{name}: {place}", f"the delta {info[:40]!r}", expected="numbers, or dots"
            ) from None

    return find
