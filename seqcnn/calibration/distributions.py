"""Distributions that settings are drawn from, as they are written in YAML.

A plain value
    stands for itself.
``[A, B, ...]`` or ``{choice: [A, B, ...]}``
    one of them; a value that stands twice is twice as likely.
``{each: [A, B, ...]}``
    in turn, so that of the trials each gets its share.
``{uniform: [LOW, HIGH]}``
    anything between them.
``{loguniform: [LOW, HIGH]}``
    the logarithm is uniform: the right scale for rates.
``{sqrt: [LOW, HIGH]}``
    LOW + (HIGH - LOW) sqrt(U), with U uniform from 0 to 1: rather high than low.

Drawn numbers have four significant digits, so that what is written down is what was used.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqcnn.errors import ConfigError

__all__ = ["RANGES", "Distribution", "Value", "parse_distribution"]

Value = int | float | str

RANGES = ("uniform", "loguniform", "sqrt")
"""Kinds that have a lowest and a highest number."""

_LISTS = ("choice", "each")
_EXPECTED = f"a value, a list of values, or {{KIND: [...]}} with {', '.join((*_LISTS, *RANGES))}"


@dataclass(frozen=True)
class Distribution:
    """Where the values of one setting come from.

    Attributes
    ----------
    kind
        ``fixed``, ``choice``, ``each``, or one of `RANGES`.
    values
        All values; of a range its lowest and highest.
    whole
        Whether a range gives whole numbers, both ends included.
    """

    kind: str
    values: tuple[Value, ...]
    whole: bool = False

    def draw(self, rng: np.random.Generator, number: int) -> Value:
        """Draw a value.

        Parameters
        ----------
        rng
            Source of chance.
        number
            Of the trial, from 0; chooses where values come in turn.
        """
        if self.kind == "fixed":
            return self.values[0]
        if self.kind == "each":
            return self.values[number % len(self.values)]
        if self.kind == "choice":
            return self.values[int(rng.integers(len(self.values)))]
        low, high = (float(end) for end in self.values)
        if self.whole:
            low, high = low - 0.5, high + 0.5
        drawn = self._place(float(rng.random()), max(low, 1e-300), high, low)
        ends = (float(self.values[0]), float(self.values[1]))
        kept = min(max(round(drawn) if self.whole else float(f"{drawn:.4g}"), ends[0]), ends[1])
        return int(kept) if self.whole else kept

    def _place(self, share: float, positive: float, high: float, low: float) -> float:
        if self.kind == "loguniform":
            return math.exp(math.log(positive) + share * (math.log(high) - math.log(positive)))
        return low + (high - low) * (math.sqrt(share) if self.kind == "sqrt" else share)

    def spell(self) -> object:
        """Write the distribution as plain values for YAML."""
        return self.values[0] if self.kind == "fixed" else {self.kind: list(self.values)}


def parse_distribution(where: str, given: object, *, whole: bool = False) -> Distribution:
    """Read a distribution as it stands in YAML.

    Parameters
    ----------
    where
        What an error names.
    given
        Plain values; numbers may be text.
    whole
        Whether the setting takes whole numbers.

    Raises
    ------
    ConfigError
        For what is no distribution, or one that makes no sense.
    """
    if isinstance(given, list):
        given = {"choice": given}
    if not isinstance(given, Mapping):
        return Distribution("fixed", (_read_value(where, given),))
    kind, values = next(iter(given.items()), ("nothing", None))
    if len(given) != 1 or kind not in (*_LISTS, *RANGES):
        names = ", ".join(map(str, given)) or "nothing"
        raise ConfigError(where, f"no such kind of prior: {names}", expected=_EXPECTED)
    if not isinstance(values, list) or not values:
        raise ConfigError(where, f"{kind} without values", expected=f"{{{kind}: [A, B]}}")
    read = tuple(_read_value(where, value) for value in values)
    if kind in RANGES:
        _check_range(where, kind, read, whole=whole)
    return Distribution(str(kind), read, whole=whole and kind in RANGES)


def _read_value(where: str, given: object) -> Value:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        found = "nothing" if given is None else repr(given)
        raise ConfigError(where, f"no value: {found}", expected=_EXPECTED)
    if isinstance(given, str):
        for read in (int, float):
            try:
                return read(given)
            except ValueError:
                continue
    return given


def _check_range(where: str, kind: str, values: tuple[Value, ...], *, whole: bool) -> None:
    spelled = f"{kind}: [{', '.join(map(str, values))}]"
    numbers = [value for value in values if not isinstance(value, str) and math.isfinite(value)]
    if len(values) != 2 or len(numbers) != 2:
        raise ConfigError(where, spelled, expected="two numbers, the lowest and the highest")
    low, high = numbers
    if low >= high:
        raise ConfigError(where, spelled, expected="a lowest number below the highest")
    if kind == "loguniform" and low <= 0:
        remedy = "choose uniform for a range from 0 on"
        raise ConfigError(where, spelled, expected="numbers above 0", remedy=remedy)
    if whole and not all(number == int(number) for number in numbers):
        raise ConfigError(where, spelled, expected="whole numbers at both ends")
