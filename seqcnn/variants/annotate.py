"""INFO fields for scores, reasons and notes: their keys, header lines, and their place in a record.

Keys are ``SEQCNN_`` + the score (+ ``_`` + the task, when the model has several; what is no
letter, digit, ``_`` or ``.`` becomes ``_``). All are Number=A: a value for each ALT, ``.`` for
missing. A key whose values are all missing is left out
of the record, and a record without an ALT (``.``) gets none. What an earlier run wrote under the
same keys is replaced.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seqcnn.variants.alleles import AlleleTable
from seqcnn.variants.reasons import NOTES, REASONS, Reason

__all__ = [
    "NOTE_FIELD",
    "REASON_FIELD",
    "SCORES",
    "InfoField",
    "annotate_header",
    "annotate_lines",
    "provenance_lines",
    "score_fields",
]

_PREFIX = "SEQCNN_"
_MISSING = "."
_NO_KEY = re.compile(r"[^0-9A-Za-z_.]+")
_INFO_ID = re.compile(r"##INFO=<(?:.*?,)?ID=([^,>]+)")


@dataclass(frozen=True, slots=True)
class InfoField:
    """An INFO field with a value for each ALT."""

    key: str
    type: str
    description: str

    @property
    def header_line(self) -> str:
        """The line that declares the field."""
        text = " ".join(self.description.split()).replace("\\", "\\\\").replace('"', '\\"')
        return f'##INFO=<ID={self.key},Number=A,Type={self.type},Description="{text}">'


SCORES = {
    "ref_logit": ("REF", "Model output for the reference allele: {output}"),
    "alt_logit": ("ALT", "Model output for the alternative allele: {output}"),
    "delta": ("DELTA", "Effect of the allele: {difference}"),
    "probability_difference": ("PDIFF", "Alternative minus reference probability"),
    "deepbind": (
        "GATED",
        "Effect as DeepBind gates it: SEQCNN_DELTA times the larger of SEQCNN_REF and SEQCNN_ALT,"
        " or times 0 where both are negative",
    ),
    "quantile": (
        "QUANTILE",
        "Share of the {positives} whose model output is below the larger of SEQCNN_REF and"
        " SEQCNN_ALT",
    ),
    "p": ("P", "Empirical two-sided p-value of SEQCNN_DELTA against null variants"),
    "q": ("Q", "Benjamini-Hochberg false discovery rate of SEQCNN_P over the alleles of the run"),
    "sd": ("SD", "Standard deviation of SEQCNN_DELTA over the members of the ensemble"),
}
"""Column of the TSV -> (key, description) of the INFO field with the same number."""

_MEANINGS = {
    "logit": {
        "output": "logit, that is log odds before the sigmoid",
        "difference": "difference of logits, alternative minus reference",
        "positives": "training positives",
    },
    "target": {
        "output": "predicted target, in the target's units",
        "difference": "alternative minus reference, in the target's units",
        "positives": "training sequences with the highest tenth of targets",
    },
    "log2": {
        "output": "log2 of the predicted target",
        "difference": "log2 fold change of the predicted target, alternative over reference",
        "positives": "training sequences with the highest tenth of targets",
    },
}
"""What a model's output is -> how its numbers are described."""

REASON_FIELD = InfoField(
    f"{_PREFIX}REASON", "String", "Why the allele has no score: " + ", ".join(REASONS)
)

NOTE_FIELD = InfoField(
    f"{_PREFIX}NOTE",
    "String",
    "About a scored allele, several joined by &: "
    + ", ".join(f"{name} ({meaning})" for name, meaning in NOTES.items()),
)


def score_fields(
    scores: Sequence[str], tasks: Sequence[str], *, output: str = "logit"
) -> dict[tuple[str, str], InfoField]:
    """Define the INFO field of each score and task, by task and then by score.

    Parameters
    ----------
    scores
        Keys of `SCORES`.
    tasks
        Names of the model's tasks; with one, its name is not part of the keys.
    output
        What the model's output is: ``logit`` (of a class), ``target`` (a regression, in the
        target's units), or ``log2`` (a regression that works on log2 of the target).

    Returns
    -------
    dict
        (score, task) -> field.
    """
    suffixes = _suffixes(tasks) if len(tasks) > 1 else [""]
    return {
        (score, task): InfoField(
            f"{_PREFIX}{SCORES[score][0]}{suffix}",
            "Float",
            _describe(score, output, suffix) + (f"; task {task}" if suffix else ""),
        )
        for task, suffix in zip(tasks, suffixes, strict=True)
        for score in scores
    }


def _describe(score: str, output: str, suffix: str) -> str:
    """Describe a score; where keys have a suffix, so have those that the description names."""
    text = SCORES[score][1].format(**_MEANINGS[output])
    return re.sub(rf"{_PREFIX}[A-Z]+", rf"\g<0>{suffix}", text)


def _suffixes(tasks: Sequence[str]) -> list[str]:
    """Spell task names with the letters that a key may have, each differently."""
    suffixes: list[str] = []
    for task in tasks:
        plain = "_" + (_NO_KEY.sub("_", task).strip("_") or "task")
        suffix, number = plain, 2
        while suffix in suffixes:
            suffix, number = f"{plain}_{number}", number + 1
        suffixes.append(suffix)
    return suffixes


def provenance_lines(
    command: str, version: str, arguments: str, *, model: str, sha256: str
) -> tuple[str, ...]:
    """Write the header lines that say how the file was made.

    Parameters
    ----------
    command
        Name of the command in camel case, such as ``scoreVariants``.
    version, arguments
        seqcnn's version, and the command line.
    model, sha256
        Name and checksum of the model file.
    """
    lines = (
        f"##seqcnn_{command}Version={version}",
        f"##seqcnn_{command}Command={arguments}",
        f"##seqcnn_{command}Model={model}; sha256={sha256}",
    )
    return tuple(" ".join(line.splitlines()) for line in lines)


def annotate_header(
    lines: Sequence[str], fields: Sequence[InfoField], *, provenance: Sequence[str] = ()
) -> tuple[str, ...]:
    """Declare fields and add provenance, just before the line #CHROM.

    Parameters
    ----------
    lines
        Header lines, without line feed; the last is #CHROM's.
    fields
        What `annotate_lines` will write; older declarations of the same keys are replaced.
    provenance
        Lines of `provenance_lines`; one that stands there already is not repeated.
    """
    keys = {field.key for field in fields}
    kept = [line for line in lines[:-1] if _info_key(line) not in keys]
    ending = "\r" if lines[-1].endswith("\r") else ""
    added = [line + ending for line in (*provenance, *(field.header_line for field in fields))]
    return (*kept, *(line for line in added if line not in kept), lines[-1])


def _info_key(line: str) -> str | None:
    match = _INFO_ID.match(line)
    return match.group(1) if match else None


def annotate_lines(alleles: AlleleTable, columns: Mapping[InfoField, Sequence[str]]) -> list[str]:
    """Append INFO fields to the records of a block.

    Parameters
    ----------
    alleles
        All alleles of the block.
    columns
        Field -> its value for each of the m alleles, scored or not.

    Returns
    -------
    list
        The records (n,), without line feed, otherwise as they were.
    """
    keys = {field.key for field in columns}
    values = _record_values(alleles, columns)
    return [
        _append(line, fields, keys)
        for line, fields in zip(alleles.block.lines, values, strict=True)
    ]


def _record_values(alleles: AlleleTable, columns: Mapping[InfoField, Sequence[str]]) -> list[str]:
    """Spell what each record (n,) gets: ``KEY=value,value;KEY=...``, or nothing."""
    counts = np.bincount(alleles.records, minlength=len(alleles.block))
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    joined = [
        values
        if len(values) == len(ends)
        else [_join(values[start:end]) for start, end in zip(starts, ends, strict=True)]
        for values in columns.values()
    ]
    keys = [field.key for field in columns]
    spelled = [
        ";".join([f"{key}={value}" for key, value in zip(keys, row, strict=True) if value != "."])
        for row in zip(*joined, strict=True)
    ]
    # Number=A of a record without an ALT is no value at all.
    empty = alleles.records[alleles.reasons == Reason.NO_ALTERNATIVE]
    for record in empty[counts[empty] == 1].tolist():
        spelled[record] = ""
    return spelled or [""] * len(ends)


def _join(values: Sequence[str]) -> str:
    return ",".join(values) if any(value != _MISSING for value in values) else _MISSING


def _append(line: str, fields: str, keys: set[str]) -> str:
    parts = line.split("\t", 8)
    # Without sample columns a carriage return stands at the end of INFO.
    info = parts[7].removesuffix("\r")
    ending = parts[7][len(info) :]
    items = [] if info in {"", _MISSING} else [info]
    if _PREFIX in info:
        items = [item for item in info.split(";") if item.partition("=")[0] not in keys]
    elif not fields:
        return line
    parts[7] = (";".join([*items, fields] if fields else items) or _MISSING) + ending
    return "\t".join(parts)
