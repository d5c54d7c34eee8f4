"""The benchmarks' arithmetic and table, and that their peers do the same work as seqcnn.

Nothing is timed here.
"""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pysam
import pytest
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # the benchmarks are no part of the installed package
    sys.path.append(str(ROOT))

from commands import seqcnn  # noqa: E402

from benchmarks import figures, tables  # noqa: E402
from benchmarks.catalogue import BENCHMARKS  # noqa: E402
from benchmarks.data import (  # noqa: E402
    draw_genome,
    draw_model,
    draw_sequences,
    write_fasta,
    write_models,
    write_variants,
)
from benchmarks.measuring import (  # noqa: E402
    Benchmark,
    Peer,
    Sizes,
    largest_difference,
    measure,
    pair_ratios,
    rates,
    spread,
)
from benchmarks.scripts import batched_variants, naive_variants  # noqa: E402
from benchmarks.sides import maps, predictions, scan, training, variants, windows  # noqa: E402

SMALL = {
    "deepbind": {"detectors": 5, "width": 6},
    "motif": {"detectors": 7, "width": 5},
    "alexnet": {
        "preset": "basset",
        **{f"channels{i}": 6 for i in (1, 2, 3)},
        **{f"width{i}": 3 for i in (1, 2, 3)},
        **{f"hidden{i}": 5 for i in (1, 2)},
    },
    "resnet": {"channels": 6, "width": 7, "blocks": 2, "first": "relu"},
}
LENGTH = {"deepbind": 30, "motif": 30, "alexnet": 110, "resnet": 30}
each_family = pytest.mark.parametrize("family", SMALL)
pooled = pytest.mark.parametrize("family", ["deepbind", "motif"])


def make_data(folder: Path, family: str) -> dict[str, Any]:
    """What a benchmark prepares, small."""
    length = LENGTH[family]
    model = draw_model(family, length=length, seed=1, values=SMALL[family])
    codes = folder / "codes.npy"
    np.save(codes, draw_sequences(9, length, seed=2))
    return {
        **write_models(model, folder, "network"),
        "codes": str(codes),
        "threads": torch.get_num_threads(),
        "batches": [4, 16],
        "checked": [[0, 3], [length // 2, length // 2 + 2], [length - 3, length]],
        "length": length,
    }


def assert_same(left: NDArray[np.float64], right: NDArray[np.float64]) -> None:
    assert largest_difference(left, right) < 2e-5


# --- arithmetic --------------------------------------------------------------------------------


def test_rates_are_units_a_second() -> None:
    assert rates([{"units": 6, "seconds": 2.0}, {"units": 1, "seconds": 4.0}]) == [3, 0.25]


def test_ratios_are_of_runs_that_followed_each_other() -> None:
    fast = [{"units": 10, "seconds": 1.0}, {"units": 10, "seconds": 2.0}]
    slow = [{"units": 1, "seconds": 1.0}, {"units": 1, "seconds": 2.0}]
    assert pair_ratios(fast, slow) == [10, 10]
    with pytest.raises(ValueError, match="zip"):
        pair_ratios(fast, slow[:1])


def test_spread_is_median_lowest_and_highest() -> None:
    assert spread([5, 1, 3]) == (3, 1, 5)
    assert spread([4.0, 2.0]) == (3, 2, 4)


def test_largest_difference() -> None:
    assert largest_difference([1, 2, 3], [1, 2.5, 2]) == 1
    assert largest_difference([], []) == 0
    assert largest_difference([1, np.nan], [1, 2]) == np.inf
    with pytest.raises(ValueError, match="where seqcnn has"):
        largest_difference([1, 2], [1, 2, 3])


# --- table and figures -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (3.14159, "3.14"), (99.96, "100"), (12_345, "12,300"), (2.5e6, "2.5 M")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert tables.format_number(value) == text


def make_result(name: str = "scan", **peer: Any) -> dict[str, Any]:
    runs = [{"units": 20, "seconds": 1.0}, {"units": 20, "seconds": 2.0}]
    other = {
        "label": "plain",
        "aim": 40,
        "runs": [{"units": 2, "seconds": 1.0}, {"units": 1, "seconds": 2.0}],
        "tried": [{"setting": {"batch": 8}, "rate": 1.0}],
        "setting": {"batch": 8},
        "difference": 3e-7,
        "versions": {"python": "3", "torch": "2"},
    }
    grown = [{"size": n, "runs": [{"units": n, "seconds": n / 10}]} for n in (1, 4, 16)]
    return {
        "name": name,
        "work": "scanning",
        "unit": "windows",
        "subject": {"label": "seqcnn", "runs": runs, "versions": {"python": "3"}},
        "peers": [other | peer],
        "growth": grown,
        "machine": {"processor": "x", "commit": "abc"},
    }


def test_table_has_rates_ratio_aim_and_difference() -> None:
    text = tables.write_table([make_result()], threads=2)
    row = next(line for line in text.splitlines() if "`scan` |" in line)
    assert row == (
        "| scanning `scan` | plain | 15 windows/s | 1.25 windows/s | **15** (10-20) | >= 40 |"
        " 3e-07 |"
    )
    assert "- `scan`, plain: batch 8 (of 1 tried)" in text
    assert "- commit: abc" in text
    assert "- plain: python 3, torch 2" in text


def test_table_says_why_a_peer_is_missing() -> None:
    text = tables.write_table([make_result(missing="pip: no wheel | none")], threads=2)
    assert "| plain | - | - | not measured: pip: no wheel / none | >= 40 |" in text


def test_table_names_the_rows_of_each_machine() -> None:
    other = make_result("maps") | {"machine": {"processor": "y", "commit": "abc"}}
    text = tables.write_table([make_result(), other], threads=2)
    assert "`scan`:\n\n- processor: x" in text
    assert "`maps`:\n\n- processor: y" in text


def test_figures_are_drawn(tmp_path: Path) -> None:
    results = [make_result(), make_result("maps", missing="why")]
    figures.plot_ratios(results, tmp_path / "ratios.png")
    figures.plot_growth(results, tmp_path / "growth.png")
    assert (tmp_path / "ratios.png").stat().st_size > 1000
    assert (tmp_path / "growth.png").stat().st_size > 1000


# --- the turns ---------------------------------------------------------------------------------


def test_sides_take_turns_and_broken_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"sizes": Sizes(4, 2), "quick": Sizes(2, 1)}
    here = "toy_sides"
    (tmp_path / f"{here}.py").write_text(SIDES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    peers = [
        Peer(name, f"{here}:{name}", **sizes) for name in ("Same", "Other", "Broken", "Absent")
    ]
    benchmark = Benchmark(
        "toy",
        "toy",
        "units",
        lambda folder, quick: {"order": str(folder / "order"), "quick": quick},
        Peer("seqcnn", f"{here}:Subject", **sizes),
        peers,
        growth=(1, 4),
        growth_repeats=1,
        repeats=3,
    )
    result = measure(benchmark, tmp_path / "work", quick=False)
    same, other, broken, absent = result["peers"]
    assert same["difference"] == 0
    assert same["setting"] == {"pace": 2}
    assert [run["units"] for run in same["runs"]] == [4, 4, 4]
    assert "differ by 1" in other["missing"]
    assert broken["missing"] == "RuntimeError: no such luck"
    assert "AttributeError" in absent["missing"]
    assert [point["size"] for point in result["growth"]] == [1, 4]
    order = (tmp_path / "work" / "order").read_text().split()
    tried = ["Same2"] * 5
    warm = ["Subject2", "Same2"]
    assert order == [*tried, *warm, *["Subject4", "Same4"] * 3, "Subject1", "Subject4"]
    json.dumps(result)


SIDES = """
class Same:
    settings = [{"pace": 1}, {"pace": 2}]

    def __init__(self, data):
        self.order, self.pace = data["order"], 1

    def choose(self, setting):
        self.pace = setting["pace"]

    def answer(self):
        return [1.0, 2.0]

    def run(self, size):
        with open(self.order, "a") as handle:
            handle.write(f"{type(self).__name__}{size} ")
        return {"units": size, "seconds": 1.0 / self.pace}


class Subject(Same):
    settings = []


class Other(Subject):
    def answer(self):
        return [1.0, 3.0]


class Broken(Subject):
    def answer(self):
        raise RuntimeError("no such luck")
"""


def test_catalogue_is_sound() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)
    for benchmark in BENCHMARKS:
        labels = [peer.label for peer in benchmark.peers]
        assert len(set(labels)) == len(labels)
        assert benchmark.peers


# --- peers do the same work --------------------------------------------------------------------


@each_family
def test_plain_predictions(family: str, tmp_path: Path) -> None:
    data = make_data(tmp_path, family)
    sides = predictions.Seqcnn(data), predictions.Plain(data)
    assert_same(sides[0].answer(), sides[1].answer())
    assert [side.run(5) for side in sides] == [5, 5]


@each_family
def test_plain_maps(family: str, tmp_path: Path) -> None:
    data = make_data(tmp_path, family)
    ours, plain = maps.Seqcnn(data), maps.Plain(data)
    assert_same(ours.answer(), plain.answer())
    assert ours.run(2) == 2 * 3 * data["length"]
    assert plain.run(12) == 12
    assert plain.run(6 * data["length"]) == 6 * data["length"]


@pooled
def test_plain_scan(family: str, tmp_path: Path) -> None:
    data = make_data(tmp_path, family)
    np.save(data["codes"], draw_genome(500, seed=4))
    ours, plain = scan.Seqcnn(data), scan.Plain(data)
    expected = len(plain.windows)
    assert_same(ours.answer()[:expected], plain.answer())
    assert ours.run(700) == 700 - data["length"] + 1
    assert plain.run(10) == 10


def test_readers_of_windows(tmp_path: Path) -> None:
    genome = {"a": draw_genome(700, seed=5), "b": draw_genome(900, seed=6)}
    rng = np.random.default_rng(7)
    places = tmp_path / "places.npy"
    np.save(places, np.stack([rng.integers(0, 2, 120), rng.integers(0, 650, 120)]))
    data = {
        "fasta": str(write_fasta(tmp_path / "g.fa.gz", genome, bgzip=True)),
        "plain": str(write_fasta(tmp_path / "g.fa", genome)),
        "contigs": list(genome),
        "places": str(places),
        "length": 50,
    }
    contigs, starts = np.load(places)[:, :100]
    letters = list(genome)
    cut = [genome[letters[c]][s : s + 50] for c, s in zip(contigs, starts, strict=True)]
    readers = windows.Seqcnn, windows.SeqcnnLoaded, windows.Pysam, windows.PysamPlain
    for reader in (*readers, windows.Pyfaidx):
        side = reader(data)
        assert np.array_equal(side.answer(), cut), reader
        assert side.run(3) == 3


@pytest.mark.parametrize("strands", ["max", "single"])
def test_plain_training(strands: str, tmp_path: Path) -> None:
    prepare = next(b for b in BENCHMARKS if b.name == "training").prepare
    data = prepare(tmp_path, True) | {"threads": torch.get_num_threads(), "strands": strands}
    assert_same(training.Seqcnn(data).answer(), training.Plain(data).answer())


def test_variant_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genome = {"a": draw_genome(400, seed=8), "b": draw_genome(300, seed=9)}
    fasta = write_fasta(tmp_path / "g.fa", genome)
    vcf = write_variants(tmp_path / "v.vcf", genome, number=12, margin=30, seed=10)
    data = make_data(tmp_path, "deepbind") | {"folder": str(tmp_path)}
    case = {"fasta": str(fasta), "length": 30, "model": data["model"], "network": data["network"]}
    data |= {"timed": case, "checked": case | {"variants": str(vcf)}}
    ours = variants.Seqcnn(data)
    words = ours.words(case, str(vcf))
    seqcnn(*words[words.index("score-variants") :])
    expected = ours.read(vcf)
    assert len(expected) == 12
    for side, script in (
        (variants.Naive(data), naive_variants),
        (variants.Batched(data), batched_variants),
    ):
        run_script(script, side.words(case, str(vcf)), monkeypatch)
        assert_same(side.read(vcf), expected)


def run_script(script: ModuleType, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert words[2] == script.__name__
    monkeypatch.setattr(sys, "argv", words[2:])
    script.main()


# --- data --------------------------------------------------------------------------------------


def test_synthetic_genome_is_the_same_each_time_and_poor_in_cg() -> None:
    codes = draw_genome(200_000, seed=3)
    assert np.array_equal(codes, draw_genome(200_000, seed=3))
    pairs = np.bincount(codes[:-1].astype(int) * 4 + codes[1:], minlength=16) / len(codes)
    assert pairs[1 * 4 + 2] < 0.3 * pairs[2 * 4 + 1]


def test_written_files_are_what_was_drawn(tmp_path: Path) -> None:
    genome = {"a": draw_genome(123, seed=1), "b": draw_genome(60, seed=2)}
    path = write_fasta(tmp_path / "g.fa", genome)
    with pysam.FastaFile(str(path)) as fasta:
        assert dict(zip(fasta.references, fasta.lengths, strict=True)) == {"a": 123, "b": 60}
        vcf = write_variants(tmp_path / "v.vcf", genome, number=7, margin=5, seed=3)
        with pysam.VariantFile(str(vcf)) as records:
            rows = [(r.chrom, r.start, r.ref, r.alts[0]) for r in records]
        assert len(rows) == 7
        assert all(fasta.fetch(c, s, s + 1) == ref != alt for c, s, ref, alt in rows)
