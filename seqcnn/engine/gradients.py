"""Pooled detectors in training: scores, winners and gradients, straight from integer codes.

A score is the sum of one row for each 3-mer under a detector, out of tables made anew in each
step; the gradient of the detectors is gathered in tables of the same form and unfolded at the
end. So neither one-hot rows nor windows are ever laid out. Detectors are the innermost axis
("lanes"), those of several networks side by side if they are shown the same sequences: a
processor handles many lanes at once, and each lane is summed in the same order whatever
stands beside it. Of equal scores the first position wins.

Names that recur: `kmers` (n, places), the number of the 3-mer that begins at each place of a
padded sequence; `letters` (5, 4), the one-hot column of each letter, A, C, G, T and N, which
padding is as well; `columns` (3 chunks, 5, lanes), what a letter adds to a score, by position in
the detector; `tables` (chunks, 125, lanes).
"""

import math

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel

__all__ = [
    "KMER",
    "add_highest",
    "add_means",
    "count_chunks",
    "fill_columns",
    "fill_tables",
    "fold_tables",
    "list_letters",
    "measure_windows",
    "number_kmers",
    "pool_highest",
    "pool_means",
    "raise_two",
    "score_places",
    "take_columns",
    "turn_rows",
]

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Places = NDArray[np.int32]
Counts = NDArray[np.int32]

KMER = 3
RADIX = 5

UNIT = math.log2(math.e)
"""What scores are multiplied with ahead of the exponential: e^x is 2 to the power of that."""

# 2^x on [-1/2, 1/2] to 2e-7 of its value, on Chebyshev points.
_P0, _P1, _P2, _P3, _P4, _P5 = (
    np.polynomial.chebyshev.Chebyshev.interpolate(np.exp2, 5, (-0.5, 0.5))
    .convert(kind=np.polynomial.Polynomial)
    .coef.astype(np.float32)
)
_LEAST = np.float32(-126)
_HALF = np.float32(0.5)


def count_chunks(width: int) -> int:
    """Count the 3-mers that a detector is cut into: a multiple of four, so that sums unroll."""
    return 4 * -(-width // (4 * KMER))


def list_letters(unknown: float) -> Doubles:
    """List the one-hot columns of A, C, G, T and N."""
    return np.array([*np.eye(4), np.full(4, unknown)])


@compile_kernel
def turn_rows(codes: Codes, out: Codes) -> None:
    """Write the reverse complements of sequences (n, length)."""
    length = codes.shape[1]
    for row in range(len(codes)):
        for i in range(length):
            letter = codes[row, length - 1 - i]
            out[row, i] = 3 - letter if letter < 4 else letter


@compile_kernel
def number_kmers(codes: Codes, padding: int, out: Codes) -> None:
    """Give the numbers of the 3-mers of padded sequences (n, length)."""
    length, places = codes.shape[1], out.shape[1]
    letters = np.full(max(places + KMER - 1, padding + length), 4, dtype=np.int32)
    base = np.int32(RADIX)
    for row in range(len(codes)):
        for i in range(length):
            letters[padding + i] = codes[row, i]
        for i in range(places):
            number = (letters[i] * base + letters[i + 1]) * base + letters[i + 2]
            out[row, i] = np.uint8(number)


@compile_kernel
def fill_columns(weights: Floats, offsets: Floats, letters: Doubles, columns: Floats) -> None:
    """Lay detectors (networks, width, 4, number) and offsets (networks, number) out in lanes."""
    networks, width, _, number = weights.shape
    for network in range(networks):
        first = network * number
        for j in range(width):
            for letter in range(RADIX):
                a, c = np.float32(letters[letter, 0]), np.float32(letters[letter, 1])
                g, t = np.float32(letters[letter, 2]), np.float32(letters[letter, 3])
                column, four = columns[j, letter], weights[network, j]
                for k in range(number):
                    column[first + k] = (a * four[0, k] + c * four[1, k]) + (
                        g * four[2, k] + t * four[3, k]
                    )
                if j == 0:
                    for k in range(number):
                        column[first + k] += offsets[network, k]


@compile_kernel
def fill_tables(columns: Floats, tables: Floats) -> None:
    """Sum columns up to tables of all 3-mers."""
    for chunk in range(len(tables)):
        for number in range(RADIX**3):
            left = columns[KMER * chunk, number // RADIX**2]
            middle = columns[KMER * chunk + 1, number // RADIX % RADIX]
            right = columns[KMER * chunk + 2, number % RADIX]
            row = tables[chunk, number]
            for k in range(len(row)):
                row[k] = (left[k] + middle[k]) + right[k]


@compile_kernel
def pool_highest(kmers: Codes, tables: Floats, best: Floats, winners: Places) -> None:
    """Find each lane's largest score in each sequence, and where it is: (n, lanes) each."""
    chunks, _, lanes = tables.shape
    places = kmers.shape[1] - KMER * (chunks - 1)
    scores = np.empty(lanes, dtype=np.float32)
    for row in range(len(kmers)):
        numbers, highest, winner = kmers[row], best[row], winners[row]
        for k in range(lanes):
            highest[k] = -np.inf
            winner[k] = 0
        for place in range(places):
            # Written out: handed to a function, each row would cost its reference count.
            first, second = tables[0, numbers[place]], tables[1, numbers[place + 3]]
            third, fourth = tables[2, numbers[place + 6]], tables[3, numbers[place + 9]]
            for k in range(lanes):
                scores[k] = (first[k] + second[k]) + (third[k] + fourth[k])
            for c in range(4, chunks, 4):
                here = place + 3 * c
                first, second = tables[c, numbers[here]], tables[c + 1, numbers[here + 3]]
                third, fourth = tables[c + 2, numbers[here + 6]], tables[c + 3, numbers[here + 9]]
                for k in range(lanes):
                    scores[k] += (first[k] + second[k]) + (third[k] + fourth[k])
            number = np.int32(place)
            for k in range(lanes):
                higher = scores[k] > highest[k]
                highest[k] = scores[k] if higher else highest[k]
                winner[k] = number if higher else winner[k]


@compile_kernel
def score_places(numbers: Codes, tables: Floats, scores: Floats) -> None:
    """Score all places of one sequence: (places, lanes)."""
    chunks, _, lanes = tables.shape
    for place in range(len(scores)):
        score = scores[place]
        for c in range(0, chunks, 4):
            here = place + 3 * c
            first, second = tables[c, numbers[here]], tables[c + 1, numbers[here + 3]]
            third, fourth = tables[c + 2, numbers[here + 6]], tables[c + 3, numbers[here + 9]]
            if c == 0:
                for k in range(lanes):
                    score[k] = (first[k] + second[k]) + (third[k] + fourth[k])
            else:
                for k in range(lanes):
                    score[k] += (first[k] + second[k]) + (third[k] + fourth[k])


@compile_kernel
def raise_two(x: np.float32) -> np.float32:
    """Raise 2 to x, to 3e-7 of its value, in steps that a processor takes for many numbers."""
    x = max(x, _LEAST)
    whole = np.floor(x + _HALF)
    rest = x - whole
    value = _P5 * rest + _P4
    value = value * rest + _P3
    value = value * rest + _P2
    value = value * rest + _P1
    value = value * rest + _P0
    scale = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return np.float32(value * scale)


@compile_kernel
def pool_means(
    kmers: Codes, tables: Floats, ceiling: float, pooled: Floats, winners: Places, slopes: Floats
) -> None:
    """Find largest scores and sums of activations, pooled (2, n, lanes), and note all slopes.

    Parameters
    ----------
    ceiling
        Largest score whose power of two still grows; 0 stands for ReLU.
    winners
        Where the largest scores are (n, lanes).
    slopes
        Of the activations (n, places, lanes).
    """
    _, places, lanes = slopes.shape
    top, zero = np.float32(ceiling), np.float32(0)
    for row in range(len(kmers)):
        highest, total, winner = pooled[0, row], pooled[1, row], winners[row]
        score_places(kmers[row], tables, slopes[row])
        for k in range(lanes):
            highest[k] = -np.inf
            total[k] = 0
            winner[k] = 0
        for place in range(places):
            number = np.int32(place)
            score = slopes[row, place]
            for k in range(lanes):
                higher = score[k] > highest[k]
                highest[k] = score[k] if higher else highest[k]
                winner[k] = number if higher else winner[k]
            if ceiling == 0:
                for k in range(lanes):
                    total[k] += max(score[k], zero)
                    score[k] = np.float32(score[k] > zero)
            else:
                for k in range(lanes):
                    value = raise_two(min(score[k], top))
                    total[k] += value
                    score[k] = value if score[k] <= top else zero


@compile_kernel
def add_highest(kmers: Codes, winners: Places, slopes: Floats, gradient: Floats) -> None:
    """Add the slopes (n, lanes) of the largest scores to the tables' gradient."""
    for row in range(len(kmers)):
        for chunk in range(len(gradient)):
            for k in range(slopes.shape[1]):
                number = kmers[row, winners[row, k] + KMER * chunk]
                gradient[chunk, number, k] += slopes[row, k]


@compile_kernel
def add_means(kmers: Codes, slopes: Floats, factors: Floats, gradient: Floats) -> None:
    """Add the slopes (n, places, lanes) times factors (n, lanes) to the tables' gradient."""
    _, places, lanes = slopes.shape
    for row in range(len(kmers)):
        numbers, factor = kmers[row], factors[row]
        for place in range(places):
            slope = slopes[row, place]
            for k in range(lanes):
                slope[k] *= factor[k]
            for c in range(0, len(gradient), 2):
                here = place + 3 * c
                left, right = gradient[c, numbers[here]], gradient[c + 1, numbers[here + 3]]
                for k in range(lanes):
                    left[k] += slope[k]
                    right[k] += slope[k]


@compile_kernel
def fold_tables(gradient: Floats, columns: Floats) -> None:
    """Turn the gradient of the tables into that of the columns."""
    columns[:] = 0
    for chunk in range(len(gradient)):
        for number in range(RADIX**3):
            left = columns[KMER * chunk, number // RADIX**2]
            middle = columns[KMER * chunk + 1, number // RADIX % RADIX]
            right = columns[KMER * chunk + 2, number % RADIX]
            row = gradient[chunk, number]
            for k in range(len(row)):
                left[k] += row[k]
                middle[k] += row[k]
                right[k] += row[k]


@compile_kernel
def take_columns(columns: Floats, letters: Doubles, weights: Floats, offsets: Floats) -> None:
    """Turn the gradient of the columns into that of detectors and offsets, which is added to."""
    networks, width, _, number = weights.shape
    for network in range(networks):
        first = network * number
        for j in range(width):
            for letter in range(RADIX):
                column = columns[j, letter]
                for base in range(4):
                    share = np.float32(letters[letter, base])
                    if share != 0:
                        cells = weights[network, j, base]
                        for k in range(number):
                            cells[k] += share * column[first + k]
                if j == 0:
                    for k in range(number):
                        offsets[network, k] += column[first + k]


@compile_kernel
def _count_pairs(codes: Codes, width: int) -> Counts:
    """Count, for each place j of a window and distance d, the letters at j and j + d."""
    places = codes.shape[1] - width + 1
    # First for j = 0, and what each further j has more than the one before it; then summed up.
    counts = np.zeros((width, width, RADIX * RADIX), dtype=np.int32)
    for row in range(len(codes)):
        for i in range(places):
            letter = np.int64(codes[row, i]) * RADIX
            for d in range(width):
                counts[0, d, letter + codes[row, i + d]] += 1
        for j in range(1, width):
            old, new = np.int64(codes[row, j - 1]), np.int64(codes[row, j - 1 + places])
            for d in range(width - j):
                counts[j, d, old * RADIX + codes[row, j - 1 + d]] -= 1
                counts[j, d, new * RADIX + codes[row, j - 1 + places + d]] += 1
    for j in range(1, width):
        for d in range(width):
            for pair in range(RADIX * RADIX):
                counts[j, d, pair] += counts[j - 1, d, pair]
    return counts


@compile_kernel
def measure_windows(codes: Codes, letters: Doubles, centre: Doubles, covariance: Doubles) -> None:
    """Measure mean (4 width,) and covariance (4 width, 4 width) of all one-hot windows.

    Letters and pairs of them are counted, so both are exact. Rows are by place, then base.
    """
    width = len(centre) // 4
    counts = _count_pairs(codes, width)
    total = np.float64(len(codes) * (codes.shape[1] - width + 1))
    for row in range(4 * width):
        j, base = row // 4, row % 4
        mean = 0.0
        for letter in range(RADIX):
            mean += counts[j, 0, letter * RADIX + letter] * letters[letter, base]
        centre[row] = mean / total
    for row in range(4 * width):
        for column in range(4 * (row // 4), 4 * width):
            j, d = row // 4, column // 4 - row // 4
            product = 0.0
            for pair in range(RADIX * RADIX):
                if counts[j, d, pair]:
                    share = letters[pair // RADIX, row % 4] * letters[pair % RADIX, column % 4]
                    product += counts[j, d, pair] * share
            covariance[row, column] = product / total - centre[row] * centre[column]
            covariance[column, row] = covariance[row, column]
