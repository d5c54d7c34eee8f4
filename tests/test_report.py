"""The report: what it says, what it warns of, and that it needs nothing beside it."""

import base64
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from seqcnn.motifs import Motif
from seqcnn.report import Report, render_report
from seqcnn.report.words import format_estimate, summarise, tell_diagnosis, warn

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """A page as a list of tags and its words; refuses tags that do not close as they opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.words += f"{data} "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> Any:
    return {"value": value, "low": low, "high": high}


def binary(auroc: Any, *, n: int = 1000) -> dict[str, Any]:
    return {"auroc": auroc, "auprc": estimate(0.9, 0.88, 0.92), "n": n, "n_positive": n // 2}


def one_task(
    model: Any, *, composition: float = 0.61, length: float = 0.5, train: float = 0.97
) -> dict[str, Any]:
    return {
        "test": {"GABPA": binary(model)},
        "validation": {"GABPA": binary(estimate(0.96, 0.95, 0.97))},
        "train": {"GABPA": binary(estimate(train, train - 0.01, train + 0.01))},
        "baselines": {
            "composition": {"GABPA": binary(estimate(composition, 0.55, 0.65))},
            "length": {"GABPA": binary(estimate(length, length, length))},
        },
        "seconds": 73.2,
        "device": "cpu (2 threads)",
    }


GOOD = estimate(0.953, 0.941, 0.965)
COUNTS = {
    "train": {"sequences": 9000, "positives": 4500},
    "validation": {"sequences": 900, "positives": 450},
    "test": {"sequences": 1000, "positives": 500},
    "dropped": {"window off the contig": 3, "more than 5 % of N": 11},
}


def draw_motif(name: str = "detector_007", *, importance: float = 0.0123) -> Motif:
    pfm = np.random.default_rng(0).dirichlet([0.2] * 4, 9).T * 1234
    return Motif(name, pfm, 1234, importance=importance)


@pytest.fixture(scope="module")
def report() -> Report:
    steps = range(0, 300, 100)
    return Report(
        title="GABPA <i>& friends",
        command="seqcnn train --seq 'a<b>.seq' --seed 1",
        metrics=one_task(GOOD),
        counts=COUNTS,
        history=[
            {"member": member, "step": step, "train_loss": 1.0, "validation_loss": 1.1}
            for member in (0, 1)
            for step in steps
        ],
        curves={
            "roc": {"GABPA": (np.array([0.0, 0.1, 1]), np.array([0.0, 0.9, 1]))},
            "precision_recall": {"GABPA": (np.array([0.0, 1]), np.array([1, 0.5]))},
        },
        motifs=[draw_motif()],
        provenance={
            "version": "0.1.0",
            "command": "said elsewhere",
            "inputs": {"my_peaks<script>.seq.gz": "4f1c", "hg_19.fa": "9a0b"},
            "seed": 1,
        },
        config={"arch": "motif", "set": ["detectors=256", "width=10"], "exclude": None},
    )


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return render_report(report)


def test_report_needs_nothing_beside_it(html: str) -> None:
    page = Page(html)
    links = [
        value
        for _, attributes in page.tags
        for key, value in attributes.items()
        if key in {"src", "href", "srcset", "data", "action"}
    ]
    assert len(links) == 5  # two curves, two histories, one logo
    assert all(value and value.startswith("data:image/svg+xml;base64,") for value in links)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"@import|url\(|@font-face", html)
    for link in links:
        assert link
        assert base64.b64decode(link.partition(",")[2]).startswith(b"<?xml")


def test_report_is_the_same_every_time(report: Report, html: str) -> None:
    assert render_report(report) == html


def test_text_of_users_is_escaped(html: str) -> None:
    assert "GABPA <i>& friends" in Page(html).words
    assert "<i>" not in html
    assert "<b>" not in html
    assert "<script>" not in html


def test_pictures_have_words_and_tables_have_headers(html: str) -> None:
    page = Page(html)
    assert all(image["alt"] for image in page.all("img"))
    assert all(header["scope"] in {"row", "col"} for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 3
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]


def test_report_tells_the_results_and_where_they_come_from(html: str) -> None:
    words = " ".join(Page(html).words.split())
    for expected in (
        "0.953 (0.941 to 0.965)",
        "0.610 (0.550 to 0.650)",
        "window off the contig",
        "detector_007",
        "1,234 sites",
        "importance 0.012",
        "seqcnn train --seq 'a<b>.seq' --seed 1",
        "my_peaks<script>.seq.gz",
        "Inputs · hg_19.fa 9a0b",
        "cpu (2 threads)",
        "73.2",
        "detectors=256, width=10",
        "9,000",
    ):
        assert expected.lower() in words.lower(), expected
    assert "said elsewhere" not in words


def test_each_member_has_its_own_history(html: str) -> None:
    words = Page(html).words
    assert "Member 0: loss" in words
    assert "Member 1: loss" in words


def test_a_bare_report_is_a_page() -> None:
    metrics = {"test": {"x": {"pearson": estimate(None), "n": 0}}}
    page = Page(render_report(Report("x", "seqcnn evaluate", metrics, {})))
    assert page.all("img") == []
    assert "do not define the Pearson r" in page.words
    assert "None" not in page.words
    assert not re.search(r"\bnan\b", page.words)
    assert "Provenance" not in page.words


def test_values_are_shown_in_a_scatter_plot() -> None:
    metrics = {"test": {"x": {"pearson": GOOD, "spearman": GOOD, "mse": GOOD, "n": 3}}}
    curves = {"scatter": {"x": (np.arange(3.0), np.arange(3.0))}}
    page = Page(render_report(Report("x", "c", metrics, {}, curves=curves)))
    assert [image["alt"] for image in page.all("img")] == [
        "Scatter plot of predicted against observed values of x"
    ]


def test_curves_of_one_class_are_left_out() -> None:
    nothing = (np.empty(0), np.empty(0))
    curves = {"roc": {"GABPA": nothing}, "precision_recall": {"GABPA": nothing}}
    page = Page(render_report(Report("x", "c", one_task(GOOD), {}, curves=curves)))
    assert page.all("img") == []


def test_rna_motifs_are_drawn_on_one_strand_and_spelled_with_u() -> None:
    pfm = np.repeat(np.array([[0.0], [0], [0], [9]]), 6, axis=1)
    motifs = [Motif("m", pfm, 9)]
    report = Report("x", "c", one_task(GOOD), {}, motifs=motifs, alphabet="rna")
    page = Page(render_report(report))
    assert [image["alt"] for image in page.all("img")] == ["Logo; consensus UUUUUU"]
    assert "other strand" not in page.words
    assert "importance nan" not in page.words


def test_of_many_tasks_each_has_a_row() -> None:
    tasks = [f"TF{i}" for i in range(5)]
    side = {task: binary(estimate(0.8 + 0.03 * i, 0.79, 0.93)) for i, task in enumerate(tasks)}
    metrics = {"test": side, "baselines": {"composition": side}}
    page = Page(render_report(Report("x", "c", metrics, {})))
    assert all(page.words.count(task) >= 2 for task in tasks)
    summary = summarise(metrics, {}, {})
    assert "5 tasks" in summary
    assert "mean AUROC is 0.860, from 0.800 (TF0) to 0.920 (TF4)" in summary
    assert "composition alone reaches 0.860" in summary


def test_only_the_first_motifs_are_drawn() -> None:
    motifs = [draw_motif(f"detector_{i:03d}") for i in range(14)]
    report = Report("x", "c", one_task(GOOD), {}, motifs=motifs)
    page = Page(render_report(report))
    assert len(page.all("img")) == 12
    assert "12 of 14" in " ".join(page.words.split())


def test_summary_says_what_was_trained_and_how_good_it_is() -> None:
    summary = summarise(one_task(GOOD), COUNTS, {}, families={"motif": 1})
    assert summary == (
        "A model of the family “motif” was trained on 9,000 sequences (4,500 of them positive) "
        "to recognise GABPA, and tested on 1,000 sequences (500 of them positive) that it had "
        "not seen. On the test data its AUROC is 0.953 (95 % interval 0.941 to 0.965): given one "
        "positive and one negative sequence, it ranks the positive higher 95 times out of 100. "
        "On the same data, composition alone reaches 0.610 and length alone reaches 0.500."
    )


def test_summary_of_undefined_metrics_stops_before_them() -> None:
    summary = summarise(one_task(estimate(None)), {}, {})
    assert summary == "A model was trained to recognise GABPA."


def test_good_results_need_no_warning() -> None:
    assert warn(one_task(GOOD), COUNTS) == []


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (one_task(GOOD, composition=0.93), "Composition alone reaches 0.930, close to"),
        (one_task(GOOD, length=0.99), "Length alone reaches 0.990, not less than"),
        (one_task(estimate(0.9, 0.84, 0.95), train=0.93), "is wide (0.840 to 0.950)"),
        (one_task(estimate(0.52, 0.49, 0.55), composition=0.5, train=0.6), "includes chance"),
        (one_task(estimate(0.8, 0.78, 0.82)), "better on its training data (0.970)"),
        (one_task(estimate(None)), "do not define the AUROC: they lack targets"),
    ],
)
def test_each_warning_comes_alone(metrics: dict[str, Any], expected: str) -> None:
    warnings = warn(metrics, COUNTS)
    assert len(warnings) == 1
    assert expected in warnings[0]
    html = render_report(Report("x", "c", metrics, COUNTS))
    assert expected in " ".join(Page(html).words.split())


def test_a_baseline_that_orders_values_better_is_told_of() -> None:
    ranks = {"pearson": GOOD, "spearman": estimate(0.5, 0.49, 0.51), "n": 900}
    other = {"pearson": estimate(0.4, 0.3, 0.5), "spearman": estimate(0.6, 0.5, 0.7)}
    metrics = {"test": {"x": ranks}, "baselines": {"composition": {"x": other}}}
    (warning,) = warn(metrics, {})
    assert "Composition alone orders the test values better: Spearman r 0.600" in warning


def test_bases_and_evaluations_have_words_of_their_own() -> None:
    told = summarise(one_task(GOOD), COUNTS, {"task_kind": "profile"})
    assert "one positive and one negative base" in told
    told = summarise(one_task(GOOD), COUNTS, {}, trained=False)
    assert told.startswith("A trained model was measured on 1,000 sequences")


def test_of_many_tasks_the_diagnosis_counts_verdicts() -> None:
    one = {"words": "words", "verdict": "bias"}
    other = {"words": "words", "verdict": "none"}
    many = dict(zip("abcd", [one, other, one, one], strict=True))
    assert tell_diagnosis(many) == [
        "Of 4 tasks, what costs most is bias in 3, no gap in 1; each task's gaps are below."
    ]
    assert tell_diagnosis({"a": one}) == ["words"]


def test_warnings_name_the_task_where_there_are_several() -> None:
    metrics = {"test": {"A": binary(GOOD), "B": binary(estimate(0.9, 0.8, 0.95))}}
    assert warn(metrics, {}) == [
        "The interval for B is wide (0.800 to 0.950): more test data would narrow it."
    ]


def test_more_dropped_than_kept_is_told() -> None:
    counts = {"train": {"sequences": 10}, "dropped": {"contig_missing": 1000}}
    assert warn(one_task(GOOD), counts) == [
        "More sequences were dropped (1,000) than kept (10); see why below."
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "–"),  # noqa: RUF001
        (estimate(None), "–"),  # noqa: RUF001
        (estimate(0.5), "0.500"),
        (estimate(0.5, 0.25, 0.75), "0.500 (0.250 to 0.750)"),
    ],
)
def test_estimates_are_spelled(values: Any, words: str) -> None:
    assert format_estimate(values) == words


@pytest.mark.parametrize(
    ("families", "words"),
    [
        ({"motif": 3}, "3 models of the family “motif”, which are averaged, were trained on"),
        (
            {"motif": 2, "gkm": 2},
            "4 models, 2 of the family “motif” and 2 of the family “gkm”, which are averaged, were",
        ),
    ],
)
def test_summary_tells_what_a_model_is_made_of(families, words) -> None:
    assert summarise(one_task(GOOD), COUNTS, {}, families=families).startswith(words)


def test_a_member_that_was_solved_at_once_has_no_history() -> None:
    steps = [{"step": i, "train_loss": 0.5, "validation_loss": 0.5, "member": 0} for i in range(3)]
    solved = {"step": 1, "train_loss": 0.5, "validation_loss": 0.5, "member": 1}
    report = Report("x", "c", one_task(GOOD), {}, history=[*steps, solved])
    words = " ".join(Page(render_report(report)).words.split())
    assert "Member 0: loss at each evaluation" in words
    assert "Member 1" not in words


@pytest.mark.parametrize(("value", "times"), [(0.953, 95), (0.9957, 99), (1.0, 100)])
def test_not_quite_always_is_99_times_out_of_100(value, times) -> None:
    summary = summarise(one_task(estimate(value, value, value)), {}, {})
    assert f"ranks the positive higher {times} times out of 100" in summary
