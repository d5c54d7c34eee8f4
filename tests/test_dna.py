"""Codes of nucleotides: against dictionaries and pure Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.dna import (
    ALPHABETS,
    INVALID,
    UNKNOWN,
    decode,
    encode,
    gc_fraction,
    one_hot,
    reverse_complement,
)

MEANING = {
    **dict(zip("ACGTUacgtu", [0, 1, 2, 3, 3] * 2, strict=True)),
    **dict.fromkeys("NRYSWKMBDHVnryswkmbdhv.-", UNKNOWN),
}
PARTNER = dict(zip("ACGTN", "TGCAN", strict=True))

dna = st.text(st.sampled_from("ACGTN"), max_size=40)
blocks = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.text(st.sampled_from("ACGTN"), min_size=n, max_size=n), min_size=1)
)


@given(st.text(max_size=30))
def test_each_letter_has_its_meaning_and_all_else_is_invalid(text: str) -> None:
    codes = encode(text)
    assert codes.dtype == np.uint8
    assert codes.tolist() == [MEANING.get(letter, INVALID) for letter in text]


@pytest.mark.parametrize("letter", "EFILPQZJOX*? \t\r\n>;0@\x00\xff\u0130\u2028")
def test_no_nucleotide(letter: str) -> None:
    assert encode(letter).tolist() == [INVALID]


@given(st.binary(max_size=50))
def test_bytes_and_text_are_the_same(raw: bytes) -> None:
    np.testing.assert_array_equal(encode(raw), encode(raw.decode("latin-1")))


@given(dna)
def test_decoding_undoes_encoding(sequence: str) -> None:
    assert decode(encode(sequence)) == sequence
    assert decode(encode(sequence.lower())) == sequence
    assert decode(encode(sequence), alphabet="rna") == sequence.replace("T", "U")
    assert decode(encode(sequence.replace("T", "U"))) == sequence


def test_alphabets_are_in_the_order_of_the_codes() -> None:
    for letters in ALPHABETS.values():
        assert encode(letters).tolist() == [0, 1, 2, 3, 4]


@given(dna)
def test_reverse_complement_is_the_other_strand(sequence: str) -> None:
    other = reverse_complement(encode(sequence))
    assert decode(other) == "".join(PARTNER[letter] for letter in reversed(sequence))
    np.testing.assert_array_equal(reverse_complement(other), encode(sequence))


@given(blocks)
def test_rows_are_treated_alike(rows: list[str]) -> None:
    codes = np.stack([encode(row) for row in rows])
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(reverse_complement(codes)[i], reverse_complement(encode(row)))
        np.testing.assert_array_equal(one_hot(codes)[i], one_hot(encode(row)))
        assert gc_fraction(codes)[i] == gc_fraction(encode(row))


@given(dna)
def test_gc_is_counted_among_known_bases(sequence: str) -> None:
    known = [letter for letter in sequence if letter != "N"]
    expected = sum(letter in "GC" for letter in known) / len(known) if known else 0.0
    codes = encode(sequence)
    assert gc_fraction(codes) == expected
    assert gc_fraction(reverse_complement(codes)) == expected


@given(dna, st.sampled_from([0.0, 0.25]))
def test_one_hot_has_a_row_for_each_base(sequence: str, unknown: float) -> None:
    rows = one_hot(encode(sequence), unknown=unknown)
    assert rows.dtype == np.float32
    assert rows.shape == (4, len(sequence))
    assert rows.flags.c_contiguous
    for i, letter in enumerate(sequence):
        for base in range(4):
            wanted = unknown if letter == "N" else float("ACGT"[base] == letter)
            assert rows[base, i] == wanted


@given(dna)
def test_one_hot_turned_over_is_the_other_strand(sequence: str) -> None:
    codes = encode(sequence)
    np.testing.assert_array_equal(one_hot(reverse_complement(codes)), one_hot(codes)[::-1, ::-1])
