"""Tracks hold what was written, and are readable by others."""

import gzip
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from seqcnn import tracks
from seqcnn.errors import ConfigError
from seqcnn.tracks import check_track, open_track, order_contigs

CONTIGS = {"chr2": 3000, "chr10": 500, "chr1": 40}


def write(path: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    written = {name: rng.normal(size=CONTIGS[name] - 10) for name in order_contigs(CONTIGS)}
    written["chr2"][100:400] = np.nan
    with open_track(path, CONTIGS, values=4000) as track:
        for name, values in written.items():
            for start in range(0, len(values), 700):
                track.add(name, 5 + start, values[start : start + 700])
    return written


def test_bigwig_reads_back(tmp_path: Path) -> None:
    written = write(tmp_path / "a.bw")
    with pyBigWig.open(str(tmp_path / "a.bw")) as track:
        assert list(track.chroms()) == ["chr1", "chr10", "chr2"]
        assert track.header()["nLevels"] > 0
        for name, values in written.items():
            found = np.array(track.values(name, 5, 5 + len(values)))
            np.testing.assert_array_equal(found, values.astype(np.float32))
        mean = track.stats("chr2", 5, 2995, exact=True)[0]
    assert mean == pytest.approx(np.nanmean(written["chr2"]), abs=1e-4)
    first = (tmp_path / "a.bw").read_bytes()
    write(tmp_path / "a.bw")
    assert (tmp_path / "a.bw").read_bytes() == first


def test_large_files_have_no_zoom_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "_MOST_ZOOMED", 3999)
    written = write(tmp_path / "a.bw")
    with pyBigWig.open(str(tmp_path / "a.bw")) as track:
        assert track.header()["nLevels"] == 0
        assert track.values("chr1", 5, 6)[0] == np.float32(written["chr1"][0])


@pytest.mark.parametrize("name", ["a.bedgraph", "a.bg.gz"])
def test_bedgraph_reads_back(tmp_path: Path, name: str) -> None:
    written = write(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    rows = [line.split("\t") for line in text.splitlines()]
    assert all(int(end) == int(start) + 1 for _, start, end, _ in rows)
    for contig, values in written.items():
        own = {int(start): float(value) for c, start, _, value in rows if c == contig}
        known = np.flatnonzero(~np.isnan(values))
        assert list(own) == (5 + known).tolist()
        np.testing.assert_allclose(list(own.values()), values[known], rtol=1e-5)


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"\.bedgraph"):
        check_track(tmp_path / "a.wig")
    monkeypatch.setitem(__import__("sys").modules, "pyBigWig", None)
    with pytest.raises(ConfigError, match="pip install pyBigWig"):
        check_track(tmp_path / "a.bw")
    check_track(tmp_path / "a.bedgraph")


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    def fail() -> None:
        with open_track(tmp_path / "a.bw", CONTIGS, values=10) as track:
            track.add("chr1", 0, np.ones(3))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not list(tmp_path.iterdir())
