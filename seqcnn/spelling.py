"""Spelling numbers in files of text."""

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["format_numbers"]

_MISSING = "."


def format_numbers(values: ArrayLike, form: str = "%.6g") -> list[str]:
    """Spell numbers, row after row; ``.`` for NaN, ``0`` for minus zero.

    Parameters
    ----------
    values
        Numbers of any shape.
    form
        How one is spelled: by default with six significant digits.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    if np.isnan(numbers).all():
        return [_MISSING] * numbers.size
    # Adding zero turns -0.0 into 0.0.
    texts = map(form.__mod__, (numbers + 0.0).tolist())
    return [_MISSING if text == "nan" else text for text in texts]
