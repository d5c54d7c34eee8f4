"""Every score against its formula, from the VCF on; what INFO fields are called and say."""

import math
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest
from haplotype_oracle import Edit, placed, random_edit, respell, slow_windows
from hypothesis import given
from hypothesis import strategies as st
from test_engine import predict_slowly
from tiny_models import draw_codes, make_model

from seqcnn.dna import encode
from seqcnn.effects import VariantEffects, score_pairs
from seqcnn.engine import Engine
from seqcnn.modelfile import TrainedModel
from seqcnn.variants import NOTE_FIELD, REASON_FIELD, REASONS, allele_pairs, score_fields
from seqcnn.variants.annotate import SCORES
from seqcnn.variants.reasons import NOTES, Note
from seqcnn.variants.windows import shift_offsets

LENGTH = 21
TASKS = ("a", "b")


def draw_edits(count: int) -> list[Edit]:
    rng = random.Random(3)
    return [random_edit(rng, longest=12) for _ in range(count)]


def score_file(
    folder: Path, model: TrainedModel, many: list[Edit], shifts: int
) -> tuple[list[int], VariantEffects]:
    """Score a VCF of edits: the rows that have scores, and these."""
    rng = random.Random(4)
    records = [(i, *respell(rng, edit)) for i, edit in enumerate(many)]
    offsets = shift_offsets(shifts, length=LENGTH)
    contigs = [edit.contig for edit in many]
    with placed(folder, contigs, records, length=LENGTH, offsets=offsets) as (table, genome):
        shifted = [allele_pairs(table, genome, offset=offset) for offset in offsets]
        return table.scored.tolist(), score_pairs(Engine(model, threads=1), shifted)


def slow_members(
    model: TrainedModel, edit: Edit, shifts: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (members, tasks) of both alleles: a float64 network, window by window."""
    sides = []
    for side in (0, 1):
        total = np.zeros((len(model.members), len(model.spec.tasks)))
        for shift in shifts:
            pair = slow_windows(edit.contig, edit.alternative, LENGTH, offset=shift)
            total += predict_slowly(model, encode(pair[side])[None])[:, 0]
        sides.append(total / len(shifts))
    return sides[0], sides[1]


def slow_scores(
    ref: np.ndarray, alt: np.ndarray, positives: np.ndarray, *, is_regression: bool
) -> dict[str, float]:
    """Score one allele and task from the logits (members,) of both alleles."""
    members = len(ref)
    mean_ref, mean_alt = sum(ref) / members, sum(alt) / members
    delta = mean_alt - mean_ref
    deltas = [a - r for r, a in zip(ref, alt, strict=True)]
    variance = sum((d - delta) ** 2 for d in deltas) / (members - 1) if members > 1 else math.nan
    difference = 1 / (1 + math.exp(-mean_alt)) - 1 / (1 + math.exp(-mean_ref))
    return {
        "ref_logit": mean_ref,
        "alt_logit": mean_alt,
        "delta": delta,
        "probability_difference": math.nan if is_regression else difference,
        "deepbind": delta * max(0, mean_ref, mean_alt),
        "quantile": sum(p < max(mean_ref, mean_alt) for p in positives) / len(positives),
        "sd": math.sqrt(variance),
    }


@pytest.mark.parametrize(
    ("members", "strands", "shifts", "spec"),
    [
        (1, "average", 1, {}),
        (3, "average", 4, {}),
        (2, "max", 3, {}),
        (2, "single", 1, {}),
        (2, "average", 2, {"task_kind": "regression", "centre": (3.0, -1.0), "scale": (2.0, 0.5)}),
        (1, "max", 1, {"task_kind": "regression", "transform": "log2"}),
    ],
)
def test_every_score_is_its_formula(
    tmp_path: Path, members: int, strands: str, shifts: int, spec: dict[str, object]
) -> None:
    options = {"task_kind": "multilabel"} | spec
    model = make_model(
        *("deepbind",), members=members, length=LENGTH, strands=strands, tasks=TASKS, **options
    )
    # What the quantile is measured by: plain shares of some positives.
    positives = Engine(model, threads=1).predict(draw_codes(300, LENGTH, seed=9)).logits
    reference = np.quantile(positives, np.linspace(0, 1, 1001), axis=0).T.astype(np.float32)
    model = replace(model, reference=reference)
    many = draw_edits(30)
    rows, effects = score_file(tmp_path, model, many, shifts)
    assert len(rows) > 15
    is_regression = options["task_kind"] == "regression"
    offsets = {1: [0], 2: [0, 1], 3: [-1, 0, 1], 4: [-1, 0, 1, 2]}[shifts]
    for place, row in enumerate(rows):
        ref, alt = slow_members(model, many[row], offsets)
        for t in range(len(TASKS)):
            expected = slow_scores(
                ref[:, t], alt[:, t], positives[:, t], is_regression=is_regression
            )
            for name, value in expected.items():
                found = getattr(effects, name)[place, t]
                near = 0.005 if name == "quantile" else 2e-5
                assert found == pytest.approx(value, rel=1e-4, abs=near, nan_ok=True), name


def test_the_delta_of_logarithms_is_a_log2_fold_change(tmp_path: Path) -> None:
    model = make_model(
        "deepbind", length=LENGTH, task_kind="regression", transform="log2", centre=(5.0,)
    )
    _, effects = score_file(tmp_path, model, draw_edits(20), 1)
    ref, alt = 2.0**effects.ref_logit, 2.0**effects.alt_logit  # the targets themselves
    np.testing.assert_allclose(effects.delta, np.log2(alt / ref), atol=1e-12)
    assert np.isnan(effects.probability_difference).all()


def test_logits_are_averaged_and_not_probabilities(tmp_path: Path) -> None:
    model = make_model("deepbind", members=3, length=LENGTH)
    _, effects = score_file(tmp_path, model, draw_edits(20), 3)
    probability = [1 / (1 + np.exp(-logit)) for logit in (effects.ref_logit, effects.alt_logit)]
    np.testing.assert_allclose(effects.delta, effects.alt_logit - effects.ref_logit, atol=1e-12)
    np.testing.assert_allclose(
        effects.probability_difference, probability[1] - probability[0], atol=1e-12
    )


# --- what fields are called


def describe(output: str, tasks: tuple[str, ...] = ("t",)) -> dict[str, str]:
    fields = score_fields(list(SCORES), tasks, output=output)
    return {field.key: field.description for field in fields.values()}


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("logit", "difference of logits, alternative minus reference"),
        ("target", "alternative minus reference, in the target's units"),
        ("log2", "log2 fold change of the predicted target, alternative over reference"),
    ],
)
def test_descriptions_say_what_the_number_is(output: str, words: str) -> None:
    found = describe(output)
    assert words in found["SEQCNN_DELTA"]
    assert len(set(found.values())) == len(SCORES)
    texts = " ".join(text for key, text in found.items() if key != "SEQCNN_PDIFF")
    assert ("logit" in texts) == (output == "logit")
    assert ("log2" in texts) == (output == "log2")
    assert "training positives" in found["SEQCNN_QUANTILE"] or output != "logit"
    assert "p-value" in found["SEQCNN_P"]
    assert "p-value" not in found["SEQCNN_PDIFF"]


def test_descriptions_name_the_keys_of_their_own_task() -> None:
    fields = score_fields(["deepbind", "sd"], ["x", "y z"])
    assert "SEQCNN_DELTA_y_z times" in fields["deepbind", "y z"].description
    assert fields["sd", "x"].description.endswith("; task x")
    assert "SEQCNN_DELTA_x over" in fields["sd", "x"].description


def test_reasons_and_notes_are_all_listed() -> None:
    assert all(reason in REASON_FIELD.description for reason in REASONS)
    assert all(f"{note} ({meaning})" in NOTE_FIELD.description for note, meaning in NOTES.items())
    assert list(NOTES) == [note.name.lower() for note in Note if note]


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)
odd_names = st.sampled_from(["a b", "a-b", "a_b", "a_b_2", "Ω", "ω", "1000G", ".", "_", '"', "<,>"])


@given(tasks=st.lists(names | odd_names, min_size=1, max_size=6, unique=True))
def test_keys_are_valid_and_each_is_another(tasks: list[str]) -> None:
    fields = [*score_fields(list(SCORES), tasks).values(), REASON_FIELD, NOTE_FIELD]
    keys = [field.key for field in fields]
    assert len(set(keys)) == len(keys) == len(SCORES) * len(tasks) + 2
    # The specification, from 4.3 on.
    assert all(re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", key, re.ASCII) for key in keys)
    header = pysam.VariantHeader()
    for field in fields:
        header.add_line(field.header_line)
    assert [record.get("ID") for record in header.records if record.key == "INFO"] == keys
    for field in fields:
        assert header.info[field.key].number == "A"
