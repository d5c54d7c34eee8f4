"""Collections of known motifs: files of any format, and the JASPAR that is installed."""

import sqlite3
import sys
import types
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from seqcnn.errors import ConfigError, MotifFileError
from seqcnn.motifs import Motif, format_jaspar, format_meme, format_transfac, ppm
from seqcnn.motifs.collections import read_known_motifs

FORMATS = {"meme": format_meme, "jaspar": format_jaspar, "transfac": format_transfac}
MOTIFS = [
    Motif(f"M{i}", np.random.default_rng(i).integers(1, 50, (4, 6)), 60, alternate=f"TF{i}")
    for i in range(3)
]


@pytest.mark.parametrize("alphabet", ["dna", "rna"])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_is_told_from_the_first_words(kind, alphabet, tmp_path) -> None:
    path = tmp_path / "motifs.txt"
    path.write_text("\n" + FORMATS[kind](MOTIFS, alphabet=alphabet))
    known = read_known_motifs(str(path))
    assert known.alphabet == alphabet
    assert [(m.name, m.alternate) for m in known.motifs] == [(m.name, m.alternate) for m in MOTIFS]


@pytest.mark.parametrize("text", ["", "\n\n", "<html>", "A C G T\n1 2 3 4\n", "\x00\x01"])
def test_what_is_no_motif_file_is_refused(text, tmp_path) -> None:
    path = tmp_path / "motifs.txt"
    path.write_text(text)
    with pytest.raises(MotifFileError, match=r"motifs\.txt"):
        read_known_motifs(str(path))


def test_a_cut_file_is_refused(tmp_path) -> None:
    path = tmp_path / "motifs.meme"
    text = format_meme(MOTIFS)
    path.write_text(text[: text.rindex("\n", 0, len(text) - 20)])
    with pytest.raises(MotifFileError, match="rows in the matrix of motif 'M2'"):
        read_known_motifs(str(path))


@pytest.fixture
def jaspar(tmp_path, monkeypatch):
    """A package of two small releases."""
    for year, versions in ((2020, (1,)), (2022, (1, 2, 10))):
        (tmp_path / "data").mkdir(exist_ok=True)
        base = sqlite3.connect(tmp_path / f"data/JASPAR{year}.sqlite")
        base.execute("create table MATRIX (ID, COLLECTION, BASE_ID, VERSION, NAME)")
        base.execute('create table MATRIX_DATA (ID, "row", col, val)')
        base.execute("create table MATRIX_ANNOTATION (ID, TAG, VAL)")
        for version in versions:
            rows = [("MA0001", version, "first", "vertebrates", "CORE"),
                    ("MA0002", version, "two words", "Vertebrates", "CORE"),
                    ("MA0003", version, "yeast", "fungi", "CORE"),
                    ("MA0004", version, "doubtful", "fungi", "UNVALIDATED")]  # fmt: skip
            for number, (name, v, title, group, collection) in enumerate(rows):
                key = 100 * version + number
                base.execute(
                    "insert into MATRIX values (?, ?, ?, ?, ?)", (key, collection, name, v, title)
                )
                base.execute(
                    "insert into MATRIX_ANNOTATION values (?, 'tax_group', ?)", (key, group)
                )
                for base_letter, value in zip("TGCA", (1, 2, 3, version), strict=True):
                    for column in (2, 1):
                        base.execute("insert into MATRIX_DATA values (?, ?, ?, ?)",
                                     (key, base_letter, column, value * column))  # fmt: skip
        base.commit()
        base.close()
    spec = ModuleSpec("pyjaspar", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    package = types.ModuleType("pyjaspar")
    package.__spec__ = spec
    monkeypatch.setitem(sys.modules, "pyjaspar", package)


@pytest.mark.usefixtures("jaspar")
def test_the_newest_release_and_the_latest_version_of_each_motif() -> None:
    known = read_known_motifs("jaspar")
    assert known.source == "JASPAR 2022 CORE, vertebrates"
    assert [(m.name, m.alternate) for m in known.motifs] == [
        ("MA0001.10", "first"),
        ("MA0002.10", "two words"),
    ]
    np.testing.assert_array_equal(known.motifs[0].pfm, [[10, 20], [3, 6], [2, 4], [1, 2]])
    assert [m.name for m in read_known_motifs("jaspar2020:fungi").motifs] == ["MA0003.1"]
    assert [m.name for m in read_known_motifs("JASPAR:Fungi").motifs] == ["MA0003.10"]


@pytest.mark.usefixtures("jaspar")
def test_what_is_not_in_jaspar_is_told() -> None:
    with pytest.raises(ConfigError, match="expected one of 2020, 2022"):
        read_known_motifs("jaspar2024")
    with pytest.raises(ConfigError, match="no motifs of 'plants'; expected one of fungi, verteb"):
        read_known_motifs("jaspar:plants")


def test_without_the_package_there_is_no_jaspar(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="pyjaspar is not installed"):
        read_known_motifs("jaspar")


@pytest.mark.data
def test_the_installed_jaspar_is_the_published_file(data_dir) -> None:
    pytest.importorskip("pyjaspar")
    for group in ("vertebrates", "fungi"):
        file = read_known_motifs(str(data_dir / f"motifs/JASPAR2024_CORE_{group}_nr.meme"))
        installed = read_known_motifs(f"jaspar2024:{group}")
        assert sorted(m.name for m in file.motifs) == [m.name for m in installed.motifs]
        by_name = {motif.name: motif for motif in installed.motifs}
        for motif in file.motifs:
            np.testing.assert_allclose(ppm(motif), ppm(by_name[motif.name]), atol=2e-6)
