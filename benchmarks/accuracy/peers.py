"""Peers that are scored here: the best matrix of a motif collection, and pairs for others."""

from pathlib import Path

import numpy as np

from benchmarks.accuracy.sets import DataSet, read_labelled

__all__ = ["score_pwm", "write_pairs"]

_SEED = 11


def write_pairs(data: DataSet, work: Path, most: int) -> dict[str, list[str]]:
    """Write the first positives and as many negatives, and the test set, as FASTA.

    Negatives are those of the data, or a dinucleotide shuffle of each positive.
    """
    from seqcnn.dna import decode, encode
    from seqcnn.negatives import shuffle_dinucleotides

    assert data.train is not None
    assert data.test is not None
    letters, labels = read_labelled(data.train)
    positives = [row for row, label in zip(letters, labels, strict=True) if label][:most]
    negatives = [row for row, label in zip(letters, labels, strict=True) if not label][:most]
    if not negatives:
        codes = np.stack([encode(row) for row in positives])
        shuffled = shuffle_dinucleotides(codes, rng=np.random.default_rng(_SEED))
        negatives = [decode(row) for row in shuffled]
    sides = {"positives": positives, "negatives": negatives, "test": read_labelled(data.test)[0]}
    for name, rows in sides.items():
        text = "".join(f">s{i}\n{row}\n" for i, row in enumerate(rows))
        (work / f"{name}.fa").write_text(text, encoding="utf-8")
    return sides


def score_pwm(pairs: dict[str, list[str]], motifs: Path) -> tuple[str, np.ndarray]:
    """Score the test set by the matrix that parts the training pairs best; give its name too."""
    from seqcnn.dna import encode, reverse_complement
    from seqcnn.metrics import auroc
    from seqcnn.motifs import pwm, read_meme

    sides = {name: [np.stack([encode(row) for row in rows])] for name, rows in pairs.items()}
    for codes in sides.values():
        codes.append(reverse_complement(codes[0]))
    labels = np.repeat([1.0, 0.0], [len(pairs["positives"]), len(pairs["negatives"])])
    best, chosen = -1.0, None
    for motif in read_meme(motifs):
        matrix = pwm(motif)
        train = [_highest(sides[name], matrix) for name in ("positives", "negatives")]
        value = auroc(labels, np.concatenate(train))
        if value > best:
            best, chosen = value, motif
    assert chosen is not None
    return f"{chosen.name} {chosen.alternate}".strip(), _highest(sides["test"], pwm(chosen))


def _highest(strands: list[np.ndarray], matrix: np.ndarray) -> np.ndarray:
    """Give the highest score (n,) of a matrix (4, width) on both strands."""
    rows = np.vstack([matrix, matrix.min(axis=0)])  # an N is the worst base
    highest = np.full(len(strands[0]), -np.inf)
    width = matrix.shape[1]
    for codes in strands:
        places = codes.shape[1] - width + 1
        if places < 1:
            continue
        scores = np.zeros((len(codes), places))
        for i in range(width):
            scores += rows[codes[:, i : i + places], i]
        highest = np.maximum(highest, scores.max(axis=1))
    return np.where(np.isfinite(highest), highest, -1e9)
