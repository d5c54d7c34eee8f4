"""Tables with measured targets: every dialect of text, Parquet, and every slip of a pen."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.dna import decode
from seqcnn.errors import ConfigError, InputError, SeqcnnError, TableError
from seqcnn.genome import open_genome
from seqcnn.tables import read_table, read_table_sequences

NAN = float("nan")
TSV = "sequence\tname\tsignal\nACGTA\tx\t1.5\nGGCAT\ty\t-2e3\n"

MakeFile = Callable[[str, str], Path]


@pytest.fixture
def make(tmp_path: Path) -> MakeFile:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def refusal(path: Path, *targets: str) -> TableError:
    with pytest.raises(TableError) as caught:
        read_table(path, targets=targets, length=None)
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        TSV,
        TSV.replace("\t", ","),
        TSV.replace("\t", "  "),
        TSV.replace("\n", "\r\n"),
        TSV.replace("\n", "\r"),
        "\ufeff" + TSV + "\n\n",
        TSV.replace("\t", " \t "),
        TSV.replace("ACGTA", '"ACGTA"').replace("sequence", '"sequence"').replace("\ty", '\t"y"'),
        TSV.replace("\t", ",")
        .replace("name", '"the, name",name')
        .replace(",x", ',"a,b",x')
        .replace(",y", ',"",y'),
        "signal,extra,name,sequence\n1.5,,x,acgta\n-2000,z,y,ggcau\n",
    ],
)
def test_text_in_many_dresses(tmp_path: Path, text: str) -> None:
    for data in (text.encode(), gzip.compress(text.encode())):
        path = tmp_path / "x"
        path.write_bytes(data)
        found = read_table(path, targets=["signal"], length=None)
        assert [decode(row) for row in found.sequences.codes] == ["ACGTA", "GGCAT"]
        assert found.sequences.names == ("x", "y")
        assert found.targets.tolist() == [[1.5], [-2000]]
        assert found.tasks == ("signal",)


def test_missing_values_and_several_targets(make: MakeFile) -> None:
    values = ["", ".", "NA", "NaN", "nan", "1", "0"]
    text = "sequence\ta\tb\n" + "".join(f"ACGT\t{value}\t7\n" for value in values)
    found = read_table(make("x", text), targets=["b", "a"], length=None)
    np.testing.assert_array_equal(found.targets[:, 1], [NAN] * 5 + [1, 0])
    assert (found.targets[:, 0] == 7).all()
    assert found.tasks == ("b", "a")
    assert found.sequences.names == tuple(f"row{i}" for i in range(1, 8))


def test_a_nameless_row_is_named_by_its_number(make: MakeFile) -> None:
    found = read_table(make("x", "sequence,name,y\nAC,NA,1\nAC,n,2\n"), targets=["y"], length=None)
    assert found.sequences.names == ("row1", "n")


@pytest.mark.parametrize(
    ("header", "asked", "hint"),
    [
        ("sequence\tsignal", "Signal", "did you mean 'signal'?"),
        ("sequence\tSIGNAL_1", "signal", "did you mean 'SIGNAL_1'?"),
        ("sequence\tsignal", "qqq", "header line"),
        ("Sequence\tsignal", "signal", "did you mean 'Sequence'?"),
        ("seq\tsignal", "signal", "did you mean 'seq'?"),
        ("sequence;signal", "signal", "tabs or commas"),
        ("ACGT\t3.4", "signal", "header line"),
    ],
)
def test_a_missing_column_is_told_with_the_nearest(
    make: MakeFile, header: str, asked: str, hint: str
) -> None:
    line = "ACGT;1" if ";" in header else "ACGT\t1"
    problem = refusal(make("x", f"{header}\n{line}\n"), asked)
    assert "no column" in problem.found
    assert hint in problem.remedy


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        (TSV + "ACGT\tz\tstrong\n", ":4", "signal is 'strong'"),
        (TSV + "\nACGT\tz\t1,5\n", ":5", "signal is '1,5'"),
        (TSV + "ACGT\tz\tinf\n", ":4", "signal is 'inf'"),
        (TSV + "ACGT\tz\n", ":4", "2 columns"),
        (TSV + "ACGT\tz\t1\t1\n", ":4", "4 columns"),
        (TSV + "ACLT\tz\t1\n", ":4", "letter 'L' in a sequence"),
        (TSV + "\tz\t1\n", ":4", "an empty sequence"),
        (TSV + "NA\tz\t1\n", ":4", "an empty sequence"),
        (TSV + "nan\tz\t1\n", ":4", "an empty sequence"),
        (TSV + 'ACGT\t"z\t1\n', ":4", "quotes that do not fit"),
        (TSV + 'ACGT\t"z"z\t1\n', ":4", "quotes that do not fit"),
        (TSV.partition("\n")[0] + "\n", "", "no row under the header"),
        (TSV.replace("name", "signal"), "", "two columns 'signal'"),
        ("\n", "", "no row under the header"),
        ("sequence\tsignal\n1\tACGT\t5\n", ":2", "3 columns"),
    ],
)
def test_bad_tables(make: MakeFile, text: str, where: str, found: str) -> None:
    path = make("x.tsv", text)
    problem = refusal(path, "signal")
    assert problem.where == f"{path}{where}"
    assert problem.found.startswith(found)


def test_row_names_of_r_are_named(make: MakeFile) -> None:
    problem = refusal(make("x", '"sequence"\t"y"\n"1"\t"ACGT"\t5\n'), "y")
    assert "row.names = FALSE" in problem.remedy


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data, word in (
        (TSV.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04" + bytes(20), "spreadsheet"),
        (gzip.compress(TSV.encode())[:-9], "cut or damaged"),
        (b"\x00\x01\x02", "0x00"),
        (b"PAR1 and no more", "cannot be read as a table"),
    ):
        path.write_bytes(data)
        assert word in refusal(path, "signal").found
    path.write_bytes(b"")
    assert "empty" in refusal(path, "signal").found


# --- Parquet ---------------------------------------------------------------------------------


def test_parquet_is_the_same(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "x"
    frame = pd.DataFrame(
        {
            "sequence": ["ACGT", "GGCA", "TTTT"],
            "name": ["a", None, "c"],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "whole": [1, 2, 3],
            "true": [True, False, True],
            "word": ["1.5", None, "NA"],
        },
        index=[7, 8, 9],
    )
    frame.to_parquet(path)
    found = read_table(path, targets=["count", "whole", "true", "word"], length=None)
    assert found.sequences.names == ("a", "row2", "c")
    np.testing.assert_array_equal(found.targets, [[1, 1, 1, 1.5], [NAN, 2, 0, NAN], [3, 3, 1, NAN]])


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("signal", "x", "signal is 'x'"),
        ("sequence", None, "an empty sequence"),
        ("sequence", "ACLT", "letter 'L'"),
    ],
)
def test_a_bad_value_of_parquet_is_told_with_its_row(
    tmp_path: Path, column: str, value: object, found: str
) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "x"
    frame = pd.DataFrame({"sequence": ["ACGT", "GGCA"], "signal": ["1", "2"]})
    frame.loc[1, column] = value
    frame.to_parquet(path)
    problem = refusal(path, "signal")
    assert problem.where == f"{path}: row 2"
    assert problem.found.startswith(found)
    frame.iloc[:0].to_parquet(path)
    assert refusal(path, "signal").found == "no row under the header"


# --- loci ------------------------------------------------------------------------------------

GENOME = "ACGTTGCAAC" * 3


@pytest.mark.parametrize("kind", ["tsv", "parquet"])
def test_loci_with_a_genome(make: MakeFile, tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame(
        {
            "contig": ["1", "chr1", "chr1", "chr1"],
            "start": [10, 0, 4, 4],
            "end": [13, 2, 9, 9],
            "strand": ["+", ".", "-", None],
            "y": [1.0, 2.0, 3.0, NAN],
        }
    )
    path = tmp_path / "x"
    if kind == "tsv":
        frame.to_csv(path, sep="\t", index=False)
    else:
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    with open_genome(make("g.fa", f">chr1\n{GENOME}\n")) as genome:
        found = read_table(path, targets=["y"], length=5, genome=genome)
        sequences = read_table_sequences(path, length=5, genome=genome)
    minus = GENOME[4:9][::-1].translate(str.maketrans("ACGT", "TGCA"))
    expected = [GENOME[9:14], minus, GENOME[4:9]]  # the second window is over the end
    assert [decode(row) for row in found.sequences.codes] == expected
    np.testing.assert_array_equal(found.targets, [[1], [3], [NAN]])
    assert found.sequences.names == ("chr1:10-14", "chr1:5-9", "chr1:5-9")
    np.testing.assert_array_equal(sequences.codes, found.sequences.codes)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("chr1\t5\t5\t+", "start '5', end '5'"),
        ("chr1\t-5\t5\t+", "start '-5', end '5'"),
        ("chr1\t1e1\t50\t+", "start '1e1', end '50'"),
        ("chr1\t1.0\t5\t+", "start '1.0', end '5'"),
        ("chr1\tNA\t5\t+", "start 'NA', end '5'"),
        ("chr1\t1\t5\t*", "strand '*'"),
        ("chr1\t1\t31\t+", "chr1 1 31 ends past its contig"),
        ("chr1\t1\t" + "9" * 40 + "\t+", "start '1', end '9999"),
    ],
)
def test_bad_loci(make: MakeFile, line: str, found: str) -> None:
    path = make("x", f"contig\tstart\tend\tstrand\ty\nchr1\t5\t9\t+\t1\n{line}\t1\n")
    genome = open_genome(make("g.fa", f">chr1\n{GENOME}\n"))
    with pytest.raises(SeqcnnError) as caught:
        read_table(path, targets=["y"], length=3, genome=genome)
    assert caught.value.where == f"{path}:3"
    assert caught.value.found.startswith(found)
    assert caught.value.remedy


def test_loci_need_a_genome_and_all_their_columns(make: MakeFile) -> None:
    path = make("x", "contig\tstart\tend\ty\nchr1\t5\t9\t1\n")
    with pytest.raises(ConfigError, match=r"holds loci; expected .*; give it with --fasta"):
        read_table(path, targets=["y"], length=3)
    assert "no column 'end'" in refusal(make("x", "contig\tstart\ty\na\t5\t9\n"), "y").found


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20))
def test_numbers_come_through(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = tmp_path_factory.mktemp("table") / "x.csv"
    path.write_text("sequence,y\n" + "".join(f"ACGT,{value!r}\n" for value in values))
    found = read_table(path, targets=["y"], length=None)
    assert found.targets[:, 0].tolist() == values


@pytest.mark.data
def test_an_array_with_a_header_line(data_dir: Path, tmp_path: Path) -> None:
    with gzip.open(data_dir / "dream5_pbm/Cebpb_HK.txt.gz", "rt") as handle:
        text = handle.read()
    path = tmp_path / "x.tsv"
    path.write_text("sequence\tsignal\tbackground\n" + text)
    found = read_table(path, targets=["signal"], length=None)
    rows = [line.split("\t") for line in text.splitlines()]
    assert found.sequences.codes.shape == (len(rows), len(rows[0][0]))
    np.testing.assert_allclose(found.targets[:, 0], [float(row[1]) for row in rows], rtol=1e-6)
    path.write_text(text)
    assert "header line" in refusal(path, "signal").remedy


def write_parquet(path: Path, **columns: object) -> Path:
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_an_index_of_pandas_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "sequence": ["ACGT", "CCGT"], "y": [0, 1]})
    frame.set_index(["name", "y"]).to_parquet(tmp_path / "t.parquet")
    data = read_table(tmp_path / "t.parquet", targets=["y"], length=None)
    assert data.sequences.names == ("a", "b")
    assert data.targets.tolist() == [[0], [1]]


@pytest.mark.parametrize(
    "note",
    [
        "{",
        '{"index_columns": ["x"], "columns": []}',
        '{"index_columns": [], "column_indexes": [], "columns": '
        '[{"name": "y", "pandas_type": "x", "numpy_type": "none", "metadata": null}]}',
    ],
)
def test_what_pandas_notes_in_parquet_does_not_matter(note: str, tmp_path: Path) -> None:
    table = pa.table({"sequence": ["ACGT"], "y": [1]}).replace_schema_metadata({"pandas": note})
    pq.write_table(table, tmp_path / "t.parquet")
    data = read_table(tmp_path / "t.parquet", targets=["y"], length=None)
    assert data.targets.tolist() == [[1]]


@pytest.mark.parametrize("column", ["contig", "start", "end"])
def test_a_locus_that_is_missing_in_parquet_is_refused(column: str, tmp_path: Path) -> None:
    good = {"contig": ["chr1", "chr1"], "start": ["1", "2"], "end": ["11", "12"]}
    path = write_parquet(tmp_path / "t.parquet", **(good | {column: [None, good[column][1]]}))
    (tmp_path / "g.fa").write_text(">chr1\n" + "ACGT" * 50 + "\n")
    with open_genome(tmp_path / "g.fa") as genome, pytest.raises(InputError) as refusal:
        read_table(path, targets=[], length=10, genome=genome)
    assert str(path) in str(refusal.value)
