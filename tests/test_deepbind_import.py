"""The original DeepBind models: an obvious version of its program, and its own numbers."""

import dataclasses
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from builders import write_fasta, write_vcf
from commands import parse_tsv, refused, seqcnn
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import draw_codes, make_model

from seqcnn.deepbind import ScoringRule, find_parameter_files, import_models, read_parameters
from seqcnn.dna import decode, encode
from seqcnn.engine import Engine
from seqcnn.errors import ModelFileError, SeqcnnError
from seqcnn.modelfile import TrainedModel, read_model, write_model

FOLDER = Path(__file__).parent / "data" / "deepbind"
DNA, RNA = (FOLDER / "params" / f"{name}.txt" for name in ("D90001.001", "D90002.001"))
TASKS = ["D90001.001_ALPHA", "D90002.001_BETA"]
GOLDEN = Path(__file__).parent / "data" / "format2.safetensors"

# The oracle: one window after the other, in float64


@dataclass
class Parameters:
    both: bool
    detectors: np.ndarray  # (width, 4, number)
    thresholds: np.ndarray
    has_mean: bool
    weights1: np.ndarray  # (features, units)
    biases1: np.ndarray
    weights2: np.ndarray
    biases2: np.ndarray

    @property
    def width(self) -> int:
        return len(self.detectors)


def parse(path: Path) -> Parameters:
    lines = (line.split("=") for line in path.read_text().splitlines()[1:])
    values = {key.strip(): [float(x) for x in text.split(",") if x.strip()] for key, text in lines}
    number, width, hidden = (
        int(values[key][0]) for key in ("num_detectors", "detector_len", "num_hidden")
    )
    return Parameters(
        both=values["reverse_complement"][0] == 1,
        detectors=np.reshape(values["detectors"], (width, 4, number)),
        thresholds=np.array(values["thresholds"]),
        has_mean=values["has_avg_pooling"][0] == 1,
        weights1=np.reshape(values["weights1"], (-1, max(1, hidden))),
        biases1=np.array(values["biases1"]),
        weights2=np.array(values["weights2"]),
        biases2=np.array(values["biases2"]),
    )


ROWS = np.vstack([np.eye(4), np.full((1, 4), 0.25)])


def run_network(parameters: Parameters, seen: np.ndarray) -> float:
    """Score a window; `seen` are its codes with width - 1 bases on both sides."""
    width = parameters.width
    scores = np.array([
        (ROWS[seen[i : i + width]][:, :, None] * parameters.detectors).sum((0, 1))
        for i in range(len(seen) - width + 1)
    ])  # fmt: skip
    active = np.maximum(scores + parameters.thresholds, 0)
    features = active.max(0)
    if parameters.has_mean:
        features = np.stack([features, active.mean(0)], axis=1).ravel()
    units = features @ parameters.weights1 + parameters.biases1
    if len(parameters.weights2):
        return float(np.maximum(units, 0) @ parameters.weights2 + parameters.biases2[0])
    return float(units[0])


def score(
    parameters: Parameters,
    codes: np.ndarray,
    *,
    window: int = 0,
    average: bool = False,
    real: bool = False,
) -> float:
    """Score a sequence as the rules of version 0.11 say."""
    size = min(window or int(1.5 * parameters.width), len(codes))
    outside = np.full(parameters.width - 1, 4)
    strands = [codes]
    if parameters.both:
        strands.append(np.where(codes < 4, 3 - codes, 4)[::-1])
    found = []
    for strand in strands:
        padded = np.concatenate([outside, strand, outside])
        windows = []
        for i in range(len(codes) - size + 1):
            alone = np.concatenate([outside, strand[i : i + size], outside])
            there = padded[i : i + size + 2 * len(outside)]
            windows.append(run_network(parameters, there if real else alone))
        average_of = sum(windows) / len(codes) if len(windows) > 1 else windows[0]
        found.append(average_of if average else max(windows))
    return max(found)


def spell_parameters(parameters: Parameters) -> str:
    def spell(values: np.ndarray) -> str:
        return ",".join(f"{np.float32(x):.9e}" for x in np.ravel(values))

    width, _, number = parameters.detectors.shape
    counts = {
        "reverse_complement": int(parameters.both),
        "num_detectors": number,
        "detector_len": width,
        "has_avg_pooling": int(parameters.has_mean),
        "num_hidden": len(parameters.weights2),
    }
    arrays = ("detectors", "thresholds", "weights1", "biases1", "weights2", "biases2")
    lines = [f"{key} = {value}" for key, value in counts.items()]
    lines += [f"{key} = {spell(getattr(parameters, key))}" for key in arrays]
    return "\n".join(["# deepbind 0.1", *lines, ""])


def draw_parameters(seed: int, *, width: int, hidden: int, both: bool, mean: bool) -> Parameters:
    """Invent a network; its detectors are weak and strong ones, so that some never matter."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(1, 20))
    features = number * (1 + mean)
    drawn = {
        "detectors": rng.normal(size=(width, 4, number)) * rng.choice([0.02, 0.3, 0.6], number),
        "thresholds": -np.abs(rng.normal(size=number)) * 0.7,
        "weights1": rng.normal(size=(features, max(1, hidden))),
        "biases1": rng.normal(size=max(1, hidden)),
        "weights2": rng.normal(size=hidden),
        "biases2": rng.normal(size=min(1, hidden)),
    }
    rounded = {key: values.astype(np.float32).astype(float) for key, values in drawn.items()}
    return Parameters(both=both, has_mean=mean, **rounded)


# Against the oracle


@pytest.fixture(scope="module")
def several() -> TrainedModel:
    return import_models(find_parameter_files([FOLDER]), ScoringRule(length=21))


@pytest.fixture(scope="module")
def sequences() -> list[np.ndarray]:
    lengths = [1, 2, 4, 5, 6, 7, 8, 9, 10, 13, 22, 40]
    return [draw_codes(1, n, seed=n)[0] for n in lengths]


RULES = [
    {},
    {"window": 5},
    {"window": 3},
    {"window": 30},
    {"average": True},
    {"window": 7, "average": True},
    {"real": True},
    {"real": True, "average": True, "window": 4},
]


def apply_rule(model: TrainedModel, rule: dict[str, object]) -> TrainedModel:
    changes: dict[str, object] = {}
    if "window" in rule:
        changes["window"] = rule["window"]
    if rule.get("average"):
        changes["over_windows"] = "average"
    if rule.get("real"):
        changes["flanks"] = "real"
    return model.with_rule(**changes)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_scores_are_the_oracle_s(several, sequences, rule) -> None:
    expected = [[score(parse(path), codes, **rule) for path in (DNA, RNA)] for codes in sequences]
    engine = Engine(apply_rule(several, rule), threads=2)
    found = engine.predict_each(sequences).logits
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    width=st.integers(1, 12),
    hidden=st.sampled_from([0, 0, 3]),
    both=st.booleans(),
    mean=st.booleans(),
    rule=st.sampled_from(RULES),
    length=st.integers(1, 40),
)
def test_networks_of_any_shape_are_the_oracle_s(
    tmp_path_factory, seed, width, hidden, both, mean, rule, length
) -> None:
    parameters = draw_parameters(seed, width=width, hidden=hidden, both=both, mean=mean)
    path = tmp_path_factory.getbasetemp() / "drawn.txt"
    path.write_text(spell_parameters(parameters))
    model = apply_rule(read_parameters(path, ScoringRule()), rule)
    codes = draw_codes(3, length, seed=seed)
    found = Engine(model, threads=1).predict(codes).logits[:, 0]
    expected = [score(parameters, row, **rule) for row in codes]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def draw_set(folder: Path, number: int) -> TrainedModel:
    """Import networks of two shapes, more than are laid out together."""
    for i in range(number):
        parameters = draw_parameters(i, width=7, hidden=3 * (i % 3 == 0), both=True, mean=i % 2)
        parameters.detectors = np.resize(parameters.detectors, (7, 4, 8))
        parameters.thresholds = np.resize(parameters.thresholds, 8)
        shape = (8 * (1 + parameters.has_mean), parameters.weights1.shape[1])
        parameters.weights1 = np.resize(parameters.weights1, shape)
        (folder / f"D{i:05}.001.txt").write_text(spell_parameters(parameters))
    return import_models(find_parameter_files([folder]), ScoringRule(length=25))


@pytest.mark.parametrize("rule", RULES[-3:], ids=str)
def test_models_side_by_side_score_as_each_alone(tmp_path, rule) -> None:
    model = apply_rule(draw_set(tmp_path, 40), rule)
    codes = draw_codes(30, 33)
    together = Engine(model, threads=2).predict(codes).members
    alone = [Engine(part, threads=1).predict(codes).members for part in model.parts]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=2))


def test_neither_company_nor_threads_change_a_score(several) -> None:
    codes = draw_codes(1200, 30)
    engines = [Engine(several, threads=n) for n in (1, 3)]
    whole = engines[0].predict(codes).members
    np.testing.assert_array_equal(engines[1].predict(codes).members, whole)
    np.testing.assert_array_equal(engines[1].predict(codes[700:703]).members, whole[:, 700:703])


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_mutants_are_scored_as_sequences(several, rule) -> None:
    engine = Engine(apply_rule(several, rule), threads=1)
    codes = draw_codes(2, 21, seed=5)
    found = engine.predict_mutants(codes)
    for row, i, base in [(0, 0, 1), (1, 20, 3), (0, 9, 2), (1, 13, 0)]:
        mutant = codes[row].copy()
        mutant[i] = base
        expected = [score(parse(path), mutant, **rule) for path in (DNA, RNA)]
        np.testing.assert_allclose(found[0, row, i, base], expected, rtol=0, atol=2e-6)
    own = found[0][np.arange(2)[:, None], np.arange(21), np.minimum(codes, 3)]
    known = codes < 4
    whole = np.broadcast_to(engine.predict(codes).logits[:, None], own.shape)
    np.testing.assert_array_equal(own[known], whole[known])


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_scan_is_the_scores_of_its_stretches(several, rule) -> None:
    engine = Engine(apply_rule(several, rule), threads=2)
    contig = draw_codes(1, 90, seed=3)[0]
    found = np.concatenate([logits for _, logits in engine.scan(contig, first=4)], axis=1)
    stretches = np.lib.stride_tricks.sliding_window_view(contig, 21)[4:]
    expected = engine.predict(np.ascontiguousarray(stretches)).members
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


# Commands


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("imported") / "both.safetensors"
    seqcnn("import-deepbind", FOLDER, "--length", 21, "-o", path)
    return path


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ((), {}),
        (("--window-size", 8), {"window": 8}),
        (("--average",), {"average": True}),
        (("--window-size", 8, "--average"), {"window": 8, "average": True}),
    ],
)
def test_predict_scores_sequences_as_long_as_they_are(tmp_path, imported, words, rule) -> None:
    texts = ["acgtNNacggtTTACGGCA", "ACGUUUGCA", "GGACC", "t", "ACGGTCATTTACGGATTACACCCTTNACGT"]
    fasta = write_fasta(tmp_path / "in.fa", [(f"s{i}", text) for i, text in enumerate(texts)])
    rows = parse_tsv(seqcnn("predict", "-m", imported, fasta, *words).stdout)
    assert [(row["name"], row["task"]) for row in rows] == [
        (f"s{i}", task) for i in range(5) for task in TASKS
    ]
    expected = [score(parse(path), encode(t), **rule) for t in texts for path in (DNA, RNA)]
    found = [float(row["logit"]) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2.5e-6)
    assert {row["probability"] for row in rows} == {"."}, "an RNAcompete model has none"


def test_predict_takes_windows_of_a_genome_and_tables(tmp_path, imported) -> None:
    text = decode(draw_codes(1, 80, unknown=False)[0])
    genome = write_fasta(tmp_path / "g.fa", [("chr1", text)])
    (tmp_path / "in.bed").write_text("chr1\t30\t41\n")
    (tmp_path / "in.tsv").write_text(f"name\tsequence\na\t{text[25:46]}\nb\t{text}\n")
    places = parse_tsv(
        seqcnn("predict", "-m", imported, "--fasta", genome, tmp_path / "in.bed").stdout
    )
    table = parse_tsv(seqcnn("predict", "-m", imported, tmp_path / "in.tsv").stdout)
    assert (places[0]["start"], places[0]["end"]) == ("25", "46")
    assert [row["logit"] for row in places] == [row["logit"] for row in table[:2]]
    assert float(table[2]["logit"]) == pytest.approx(score(parse(DNA), encode(text)), abs=2.5e-6)


def test_score_variants_cuts_a_window_and_scores_it(tmp_path, imported) -> None:
    text = decode(draw_codes(1, 90, seed=8, unknown=False)[0])
    genome = write_fasta(tmp_path / "g.fa", [("chr1", text)])
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}[text[39]]
    records = [
        f"chr1\t40\tsnv\t{text[39]}\t{other}\t.\t.\t.",
        f"chr1\t60\tins\t{text[59]}\t{text[59]}GG\t.\t.\t.",
    ]
    vcf = write_vcf(tmp_path / "in.vcf", records, contigs=["chr1"])
    words = ["-m", imported, "--fasta", genome, vcf, "-o", tmp_path / "out.vcf"]
    seqcnn("score-variants", *words, "--tsv", tmp_path / "out.tsv")
    rows = parse_tsv((tmp_path / "out.tsv").read_text())
    assert [row["task"] for row in rows] == TASKS * 2
    ref = encode(text[29:50])
    alt = encode(text[29:39] + other + text[40:50])
    for row, path in zip(rows, (DNA, RNA), strict=False):
        before, after = (score(parse(path), codes) for codes in (ref, alt))
        assert float(row["ref_logit"]) == pytest.approx(before, abs=1e-5)
        assert float(row["alt_logit"]) == pytest.approx(after, abs=1e-5)
        assert float(row["delta"]) == pytest.approx(after - before, abs=1e-5)
    assert all(row["reason"] == "." for row in rows)
    words[-1] = tmp_path / "single.vcf"
    table = tmp_path / "single.tsv"
    seqcnn("score-variants", *words, "--strands", "single", "--tsv", table)
    one_strand = dataclasses.replace(parse(DNA), both=False)
    found = float(parse_tsv(table.read_text())[0]["ref_logit"])
    assert found == pytest.approx(score(one_strand, ref), abs=1e-5)


def test_alleles_are_scored_as_their_windows(several) -> None:
    from seqcnn.genome import Haplotypes, cut_haplotypes

    contig = draw_codes(1, 120, seed=4)[0]
    starts, alleles = np.array([3, 40, 70]), np.array([10, 50, 80])
    ref = Haplotypes(starts, alleles, np.zeros(3, int), np.zeros(0, np.uint8), np.zeros(4, int))
    letters = np.array([1, 2, 2], dtype=np.uint8)
    alt = Haplotypes(starts, alleles, np.array([1, 4, 1]), letters, np.array([0, 1, 1, 3]))
    engine = Engine(several, threads=1)
    for side, found in zip((ref, alt), engine.predict_alleles(contig, ref, alt), strict=True):
        windows = cut_haplotypes(contig, side, 21)
        np.testing.assert_array_equal(found.members, engine.predict(windows).members)


def test_info_shows_the_index(tmp_path, imported) -> None:
    shown = seqcnn("info", imported).stdout
    for words in ("D90001.001  ALPHA    Homo inventus  ChIP-seq    Ets", "BETA", "RNAcompete"):
        assert words in shown
    assert "windows  7, 9 bp" in shown
    seqcnn("import-deepbind", DNA, "-o", tmp_path / "one")
    rows = dict(
        line.split(maxsplit=1)
        for line in seqcnn("info", tmp_path / "one").stdout.splitlines()
        if len(line.split()) > 1
    )
    entry = [rows[key] for key in ("id", "protein", "species", "experiment", "family")]
    assert entry == ["D90001.001", "ALPHA", "Homo inventus", "ChIP-seq", "Ets"]


def test_models_are_chosen_by_the_index(tmp_path) -> None:
    words = ["import-deepbind", FOLDER, "-o", tmp_path / "m"]
    seqcnn(*words, "--select", "experiment=chip-SEQ", "--select", "protein=ALPHA")
    assert read_model(tmp_path / "m").spec.tasks == (TASKS[0],)
    words[-1] = tmp_path / "n"
    assert "none of 2 models" in refused(tmp_path, *words, "--select", "protein=GAMMA")
    assert "no column 'colour'" in refused(tmp_path, *words, "--select", "colour=red")
    seqcnn(*words, "--select", "protein", code=2)


def test_a_file_without_an_index_is_named_by_itself(tmp_path) -> None:
    (tmp_path / "mine.txt").write_bytes(DNA.read_bytes())
    seqcnn("import-deepbind", tmp_path / "mine.txt", "-o", tmp_path / "m")
    assert read_model(tmp_path / "m").spec.tasks == ("mine",)


def test_the_rule_is_in_the_file(tmp_path) -> None:
    words = ["--window-size", 8, "--real-flanks", "--length", 33]
    seqcnn("import-deepbind", DNA, *words, "-o", tmp_path / "m")
    spec = read_model(tmp_path / "m").spec
    assert (spec.window, spec.flanks, spec.length, spec.over_windows) == (8, "real", 33, "max")
    codes = draw_codes(1, 30)
    found = Engine(read_model(tmp_path / "m"), threads=1).predict(codes).logits[0, 0]
    assert found == pytest.approx(score(parse(DNA), codes[0], window=8, real=True), abs=2e-6)


def test_evaluate_takes_sequences_as_they_are(tmp_path) -> None:
    records = [decode(row) for row in draw_codes(40, 30, unknown=False)]
    logits = [score(parse(DNA), encode(text)) for text in records]
    labels = [int(value > np.median(logits)) for value in logits]
    lines = [f"A\ts{i}\t{t}\t{n}" for i, (t, n) in enumerate(zip(records, labels, strict=True))]
    (tmp_path / "in.seq").write_text("\n".join(["FoldID\tEventID\tseq\tBound", *lines, ""]))
    seqcnn("import-deepbind", DNA, "-o", tmp_path / "m")
    seqcnn("evaluate", "-m", tmp_path / "m", "--seq", tmp_path / "in.seq", "-o", tmp_path / "out")
    assert '"auroc": {\n        "value": 1.0' in (tmp_path / "out" / "metrics.json").read_text()


def test_what_does_not_fit_is_refused(tmp_path, model) -> None:
    fasta = write_fasta(tmp_path / "in.fa", [("a", "ACGT")])
    for words in (["--average"], ["--window-size", 5]):
        message = refused(tmp_path, "predict", "-m", model, fasta, *words)
        assert f"{words[0]}: " in message
        assert "import-deepbind" in message
    (tmp_path / "empty").mkdir()
    words = ["-o", tmp_path / "m"]
    message = refused(tmp_path, "import-deepbind", tmp_path / "empty", *words)
    assert "no parameter file in the folder" in message
    assert "is given twice" in refused(tmp_path, "import-deepbind", DNA, DNA, *words)
    assert "no such file" in refused(tmp_path, "import-deepbind", tmp_path / "none", *words)


# The format


def edit(old: str, new: str, *, path: Path = RNA) -> str:
    text = path.read_text()
    assert text.count(old) == 1
    return text.replace(old, new)


def change_line(key: str, new: str | None) -> str:
    lines = RNA.read_text().splitlines()
    kept = [new if line.startswith(f"{key} =") else line for line in lines]
    return "\n".join(line for line in kept if line is not None) + "\n"


FIRST = RNA.read_text().splitlines()[6].split(" = ")[1].split(",")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (">s\nACGT\n", ":1: is no parameter file of DeepBind; expected # deepbind 0.1"),
        (edit("deepbind 0.1", "deepbind 0.2"), ":1: version 0.2; expected # deepbind 0.1"),
        (change_line("thresholds", None), ":11: the file ends without thresholds; expected a line"),
        (change_line("num_hidden", "num_hiden = 4"), ":6: 'num_hiden = 4'; expected KEY = VALUES"),
        (change_line("num_hidden", "words"), ":6: 'words'; expected KEY = VALUES"),
        (RNA.read_text() + "biases2 = 1\n", ":13: biases2 a second time; expected it in line 12"),
        (change_line("thresholds", "thresholds = 1,2"), ":8: 2 values of thresholds; expected 3"),
        (change_line("weights2", "weights2 = "), ":11: 0 values of weights2; expected 4"),
        (edit(FIRST[4], "nan"), ":7: value 5 of detectors is 'nan'; expected a finite number"),
        (edit(FIRST[4], "x"), ":7: value 5 of detectors is 'x'; expected a finite number"),
        (edit(FIRST[4], "1e99"), ":7: value 5 of detectors is '1e99'; expected a finite"),
        (change_line("num_detectors", "num_detectors = 0"), ":3: num_detectors '0'; expected"),
        (change_line("num_detectors", "num_detectors = 2.5"), ":3: num_detectors '2.5'; expected"),
        (
            change_line("detector_len", "detector_len = 6"),
            ":7: 60 values of detectors; expected 72",
        ),
        (
            change_line("reverse_complement", "reverse_complement = 2"),
            ":2: reverse_complement '2'; expected 0 or 1",
        ),
        (RNA.read_text()[:-300], "expected"),
        ("\0", "expected"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path, text, message) -> None:
    path = tmp_path / "in.txt"
    path.write_text(text)
    with pytest.raises(ModelFileError) as refusal:
        read_parameters(path, ScoringRule())
    assert str(refusal.value).startswith(f"{path}:")
    assert message in str(refusal.value)


def test_lines_may_stand_in_any_order_and_end_as_on_windows(tmp_path) -> None:
    first, *lines = RNA.read_text().splitlines()
    path = tmp_path / "in.txt"
    path.write_bytes("\r\n".join([first, "", "# a comment", *lines[::-1], ""]).encode())
    here, there = (read_parameters(each, ScoringRule()).members[0] for each in (path, RNA))
    assert all(np.array_equal(here[name], there[name]) for name in there)


def test_an_index_that_is_none_is_refused(tmp_path) -> None:
    (tmp_path / "D90001.001.txt").write_bytes(DNA.read_bytes())
    (tmp_path / "db.tsv").write_text("Name\tProtein\nD90001.001\tX\n")
    message = refused(tmp_path, "import-deepbind", tmp_path, "-o", tmp_path / "m")
    assert "db.tsv:1: no column ID" in message


# Model files


def test_models_side_by_side_are_written_and_read(several, tmp_path) -> None:
    write_model(several, tmp_path / "m")
    again = read_model(tmp_path / "m")
    assert again.spec == several.spec
    assert [part.spec for part in again.parts] == [part.spec for part in several.parts]
    assert [part.provenance for part in again.parts] == [p.provenance for p in several.parts]
    codes = draw_codes(4, 30)
    logits = [Engine(m, threads=1).predict(codes).members for m in (several, again)]
    np.testing.assert_array_equal(*logits)
    write_model(again, tmp_path / "n")
    assert (tmp_path / "n").read_bytes() == (tmp_path / "m").read_bytes()


def test_a_file_of_format_2_still_predicts_what_it_did() -> None:
    model = read_model(GOLDEN)
    codes = [encode(sequence) for sequence in model.provenance["sequences"]]
    logits = Engine(model, threads=1).predict_each(codes).logits
    np.testing.assert_allclose(logits, model.provenance["logits"], rtol=1e-5, atol=1e-5)
    assert model.parts[1].provenance["deepbind"]["protein"] == "BETA"


def write_golden(path: str) -> None:
    model = import_models(find_parameter_files([FOLDER]), ScoringRule())
    codes = [draw_codes(1, n, seed=n)[0] for n in (5, 12, 40)]
    logits = Engine(model, threads=1).predict_each(codes).logits.tolist()
    provenance = {"sequences": [decode(row) for row in codes], "logits": logits}
    write_model(dataclasses.replace(model, provenance=provenance), Path(path))


@pytest.mark.parametrize(
    "spec",
    [
        {"window": -1},
        {"window": True},
        {"window": 5, "over_windows": "least"},
        {"window": 5, "flanks": "guess"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(several, spec) -> None:
    from seqcnn.modelfile import ModelSpec

    values = several.parts[0].spec.to_json()
    with pytest.raises((ValueError, TypeError, SeqcnnError)):
        ModelSpec.from_json(values | spec)


def test_windows_are_deepbind_s() -> None:
    model = make_model(window=8)
    with pytest.raises(ModelFileError, match="expected the architecture deepbind"):
        Engine(model, threads=1)


# The numbers of the original program


@pytest.fixture(scope="session")
def archive(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed = data_dir / "deepbind_v0.11_db_all927.tar.xz"
    folder = tmp_path_factory.mktemp("archive")
    with tarfile.open(packed) as files:
        # Python 3.11.2 has no filters yet; later versions want one.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        files.extractall(folder, **safe)
    return folder / "deepbind" / "db"


def predicted(model: Path, *words: object) -> dict[tuple[str, str], float]:
    rows = parse_tsv(seqcnn("predict", "-m", model, *words).stdout)
    return {(row["name"], row["task"][:10]): float(row["logit"]) for row in rows}


@pytest.mark.data
def test_the_published_scores(archive, data_dir, tmp_path) -> None:
    modes = {"default": [], "w24": ["--window-size", 24], "average": ["--average"]}
    for kind in ("dna", "rna"):
        for mode, words in modes.items():
            lines = (data_dir / "deepbind_golden" / f"{kind}.v0.11.{mode}.tsv").read_text()
            rows = parse_tsv(lines)
            models = [name for name in rows[0] if name != "seq"]
            paths = [archive / "params" / f"{name}.txt" for name in models]
            model = tmp_path / kind
            seqcnn("import-deepbind", *paths, "-o", model, "--force")
            found = predicted(model, data_dir / "deepbind_golden" / f"{kind}.fa", *words)
            assert len(found) == len(rows) * len(models)
            for row in rows:
                for name in models:
                    assert found[row["seq"], name] == pytest.approx(float(row[name]), abs=2e-5)


@pytest.mark.data
def test_the_published_example(archive, tmp_path) -> None:
    models = ("D00210.001", "D00120.001", "D00410.003", "D00328.003")
    expected = [
        [7.451420, -0.166146, -0.408751, -0.026180],
        [-0.155398, 4.113817, 0.516956, -0.248167],
        [-0.140683, 0.181295, 5.885349, -0.026180],
        [-0.174985, -0.152521, -0.379695, 17.682623],
    ]
    paths = [archive / "params" / f"{name}.txt" for name in models]
    seqcnn("import-deepbind", *paths, "-o", tmp_path / "m")
    found = predicted(tmp_path / "m", archive.parent / "example.fa")
    logits = np.array(list(found.values())).reshape(4, 4)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1.01e-6)


@pytest.mark.data
def test_all_models_are_read(archive, tmp_path) -> None:
    seqcnn("import-deepbind", archive, "-o", tmp_path / "all")
    model = read_model(tmp_path / "all")
    assert len(model.parts) == 927
    experiments = [part.provenance["deepbind"]["experiment"] for part in model.parts]
    counts = {name: experiments.count(name) for name in set(experiments)}
    assert counts == {"SELEX": 461, "RNAcompete": 244, "ChIP-seq": 137, "PBM": 85}
    chosen = [0, 400, 700, 926]
    codes = draw_codes(1, 60, unknown=False)
    found = Engine(model, threads=1).predict(codes).logits[0]
    for i in chosen:
        path = archive / "params" / f"{model.spec.tasks[i][:10]}.txt"
        assert found[i] == pytest.approx(score(parse(path), codes[0]), abs=2e-5)


@pytest.mark.data
def test_the_tert_promoter(archive, data_dir, tmp_path) -> None:
    model, table = tmp_path / "m", tmp_path / "out.tsv"
    seqcnn("import-deepbind", archive / "params" / "D00409.004.txt", "-o", model)
    elements = data_dir / "satmut"
    words = ["--fasta", elements / "elements.GRCh38.fa", elements / "TERT-GBM.vcf"]
    seqcnn("score-variants", "-m", model, *words, "-o", tmp_path / "o.vcf", "--tsv", table)
    measured = {}
    for line in (elements / "TERT-GBM.vcf").read_text().splitlines():
        if not line.startswith("#"):
            fields = line.split("\t")
            tags = dict(item.split("=") for item in fields[7].split(";"))["TAGS"]
            measured[fields[2]] = int(tags)
    rows = [
        row
        for row in parse_tsv(table.read_text())
        if measured[row["id"]] >= 10 and len(row["ref"]) == len(row["alt"]) == 1
    ]
    ranked = sorted(rows, key=lambda row: -float(row["delta"]))
    assert len(ranked) == 770
    assert [row["id"] for row in ranked[1:3]] == ["chr5_1295113_G_A", "chr5_1295135_G_A"]
    assert [round(float(row["delta"]), 3) for row in ranked[1:3]] == [2.907, 2.819]


@pytest.mark.data
@pytest.mark.parametrize(
    ("identity", "factor", "auroc"),
    [
        ("D00409.004", "GABPA", 0.976),
        ("D00753.001", "CTCFL", 0.986),
        ("D00700.006", "USF1", 0.995),
        ("D00761.001", "FOXA1", 0.979),
        ("D00785.001", "MYC", 0.919),
        ("D00736.002", "ARID3A", 0.874),
        ("D00714.004", "ZBTB7A", 0.865),
    ],
)
def test_it_finds_the_peaks_that_the_original_finds(
    archive, data_dir, tmp_path, identity, factor, auroc
) -> None:
    seqcnn("import-deepbind", archive / "params" / f"{identity}.txt", "-o", tmp_path / "m")
    (peaks,) = (data_dir / "encode_chipseq").glob(f"{factor}_*_B.seq.gz")
    seqcnn("evaluate", "-m", tmp_path / "m", "--seq", peaks, "-o", tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())["test"]
    (found,) = metrics.values()
    assert found["auroc"]["value"] == pytest.approx(auroc, abs=1e-3)


@pytest.mark.data
def test_sp1_reads_the_ldlr_promoter(archive, data_dir, tmp_path) -> None:
    model, table = tmp_path / "m", tmp_path / "out.tsv"
    seqcnn("import-deepbind", archive / "params" / "D00650.005.txt", "-o", model)
    elements = data_dir / "satmut"
    words = ["--fasta", elements / "elements.GRCh38.fa", elements / "LDLR.2.vcf"]
    seqcnn("score-variants", "-m", model, *words, "-o", tmp_path / "o.vcf", "--tsv", table)
    effects = {}
    for line in (elements / "LDLR.2.vcf").read_text().splitlines():
        if not line.startswith("#"):
            fields = line.split("\t")
            tags = dict(item.split("=") for item in fields[7].split(";"))
            if int(tags["TAGS"]) >= 10 and len(fields[3]) == len(fields[4]) == 1:
                effects[fields[2]] = float(tags["EFF"])
    rows = {row["id"]: float(row["delta"]) for row in parse_tsv(table.read_text())}
    deltas = [rows[name] for name in effects]
    pearson = np.corrcoef(deltas, list(effects.values()))[0, 1]
    assert pearson == pytest.approx(0.621, abs=1e-3)
