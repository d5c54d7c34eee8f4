"""Sequences that a model likes most, or least: one substitution after another.

Two ways to choose a substitution
    ``greedy``: the engine scores all of them, and the best is made. ``gradient``: the gradient
    estimates them all, the 16 that it likes best are scored, and the best of these is made: for
    long windows under deep networks, where scoring all of them takes long.

Rules
    A substitution must not make more violations: occurrences of a forbidden word on either
    strand, and bases by which G and C are too few or too many. Where a start has some, only
    substitutions that leave fewer are made until none is left.

The end is reached when the sequence differs from its start in as many bases as are allowed, or
when no substitution does any good.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine import Engine
from seqcnn.errors import ConfigError

__all__ = ["Change", "Design", "Method", "Rules", "design_sequence", "parse_word"]

Method = Literal["greedy", "gradient"]
Values = NDArray[np.float64]
Word = NDArray[np.bool_]

_CANDIDATES = 16
_LEAST_GAIN = 1e-6
_IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "U": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT",
    "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One substitution at a `place` from 0, of code `ref` by `alt`, and the logit after it."""

    place: int
    ref: int
    alt: int
    logit: float


@dataclass(frozen=True, eq=False)
class Design:
    """What became of a start.

    Attributes
    ----------
    start, codes
        The sequence (length,) before and after.
    start_logit, logit
        The task's logit of both.
    changes
        The substitutions in their order.
    violations
        What is left of the violations of the rules.
    """

    start: Codes
    codes: Codes
    start_logit: float
    logit: float
    changes: tuple[Change, ...]
    violations: float

    @property
    def edits(self) -> int:
        """In how many bases the sequences differ."""
        return int((self.start != self.codes).sum())


@dataclass(frozen=True, eq=False)
class Rules:
    """What a design has to keep to.

    Attributes
    ----------
    edits
        In how many bases at most it differs from its start.
    forbidden
        Words (width, 4) of allowed bases that must not occur, on any strand that is listed.
    gc
        The least and the largest share of G and C.
    """

    edits: int
    forbidden: tuple[Word, ...] = ()
    gc: tuple[float, float] = (0.0, 1.0)

    def count_violations(self, codes: Codes) -> float:
        """Count the violations of a sequence (length,)."""
        found = sum(int((_mismatches(codes, word) == 0).sum()) for word in self.forbidden)
        return found + float(self._gc_distance(_count_gc(codes), len(codes)))

    def mutant_violations(self, codes: Codes) -> Values:
        """Count the violations (length, 4) with each base at each position."""
        length = len(codes)
        strong = np.isin(np.arange(4), (1, 2)).astype(int)
        own = np.append(strong, 0)[codes]
        gc = _count_gc(codes) - own[:, None] + strong
        violations = self._gc_distance(gc, length)
        for word in self.forbidden:
            mismatches = _mismatches(codes, word)
            violations += (mismatches == 0).sum()
            absent = np.vstack([~word.T, np.ones((1, len(word)), dtype=bool)])  # (5, width)
            for column in range(len(word)):
                rows = slice(column, column + len(mismatches))  # of the position under it
                without = mismatches - absent[codes[rows], column]
                after = without[:, None] + absent[:4, column] == 0
                violations[rows] += after.astype(int) - (mismatches == 0)[:, None]
        return np.asarray(violations)

    def _gc_distance(self, count: Values | int, length: int) -> Values:
        low, high = self.gc
        number = np.asarray(count, dtype=np.float64)
        short = np.maximum(np.ceil(low * length - 1e-9) - number, 0)
        return np.asarray(short + np.maximum(number - np.floor(high * length + 1e-9), 0))


def parse_word(text: str, *, both: bool = True) -> list[Word]:
    """Read a word of IUPAC letters: allowed bases (width, 4), and those of the other strand.

    Raises
    ------
    ConfigError
        For another letter, or no letter.
    """
    if not text or any(letter not in _IUPAC for letter in text.upper()):
        raise ConfigError(
            f"forbidden word {text[:40]!r}",
            "is no word of IUPAC letters",
            expected="such as GAATTC",
        )
    allowed = [[base in _IUPAC[letter] for base in "ACGT"] for letter in text.upper()]
    word = np.array(allowed, dtype=bool)
    other = word[::-1, ::-1]
    return [word] if not both or np.array_equal(word, other) else [word, other]


def _count_gc(codes: Codes) -> int:
    return int(((codes == 1) | (codes == 2)).sum())


def _mismatches(codes: Codes, word: Word) -> NDArray[np.int64]:
    """Count the bases that do not fit, for each place of a word; N fits nothing."""
    places = max(0, len(codes) - len(word) + 1)
    fits = np.hstack([word, np.zeros((len(word), 1), dtype=bool)])
    counts = np.zeros(places, dtype=np.int64)
    for column, allowed in enumerate(fits):
        counts += ~allowed[codes[column : column + places]]
    return counts


def design_sequence(
    engine: Engine,
    start: Codes,
    rules: Rules,
    *,
    task: int = 0,
    minimise: bool = False,
    method: Method = "greedy",
) -> Design:
    """Change a sequence until a task's logit is as high as it gets, or as low.

    Parameters
    ----------
    engine
        The model.
    start
        Codes (length,) of the model's length.
    rules
        What the design keeps to.
    task
        Number of the task.
    minimise
        Whether the logit is to be low.
    method
        See the module.
    """
    sign = -1.0 if minimise else 1.0
    score = _choose(method, engine, task, sign)
    codes, changes = start.copy(), []
    logit = start_logit = float(engine.predict(start[None]).logits[0, task])
    violations = rules.count_violations(codes)
    while True:
        after = rules.mutant_violations(codes)
        allowed = _allow(codes, start, rules.edits) & (
            after < violations if violations else after <= 0
        )
        gains = np.where(allowed, score(codes, allowed) - sign * logit, -np.inf)
        best = int(np.argmax(gains))
        place, base = divmod(best, 4)
        if gains.flat[best] <= (_LEAST_GAIN if not violations else -np.inf):
            break
        logit += sign * float(gains.flat[best])
        changes.append(Change(place, int(codes[place]), base, logit))
        codes[place] = base
        violations = float(after[place, base])
    return Design(start, codes, start_logit, logit, tuple(changes), violations)


def _allow(codes: Codes, start: Codes, edits: int) -> NDArray[np.bool_]:
    """Tell which substitutions (length, 4) keep to the number of edits; N stays."""
    bases = np.arange(4)
    changed = codes != start
    count = changed.sum() - changed[:, None] + (bases != start[:, None])
    is_new = (bases != codes[:, None]) & (codes < UNKNOWN)[:, None]
    return np.asarray(is_new & (count <= edits))


def _choose(
    method: Method, engine: Engine, task: int, sign: float
) -> Callable[[Codes, NDArray[np.bool_]], Values]:
    """Make what scores substitutions (length, 4) of a sequence, those that it looks at."""
    if method == "greedy":
        return lambda codes, _: (
            sign * engine.predict_mutants(codes[None]).mean(axis=0)[0, :, :, task]
        )
    from seqcnn.attribution.differentiable import Differentiable

    network = Differentiable(engine, task)

    def score(codes: Codes, allowed: NDArray[np.bool_]) -> Values:
        gradient = network.gradient(network.expand(codes[None]))[0].T.double().cpu().numpy()
        own = np.take_along_axis(gradient, np.minimum(codes, 3)[:, None].astype(np.int64), axis=1)
        estimates = np.where(allowed, sign * (gradient - own), -np.inf)
        order = np.argsort(-estimates, axis=None, kind="stable")[:_CANDIDATES]
        order = order[np.isfinite(estimates.flat[order])]
        mutants = np.repeat(codes[None], len(order), axis=0)
        mutants[np.arange(len(order)), order // 4] = order % 4
        scores = np.full(estimates.shape, -np.inf)
        if len(order):
            scores.flat[order] = sign * engine.predict(mutants).logits[:, task]
        return scores

    return score
