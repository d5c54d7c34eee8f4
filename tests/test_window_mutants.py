"""Mutants under networks that score windows, against each mutant scored whole."""

import numpy as np
import pytest
from tiny_models import draw_codes, draw_weights, make_model

from seqcnn.engine import Engine
from seqcnn.engine.mutants import score_whole_mutants
from seqcnn.modelfile import TrainedModel


def collect(parts: int, **spec: object) -> TrainedModel:
    """Several networks side by side, which differ in their weights alone."""
    values = {"detectors": 6, "width": 5, **spec.pop("values", {})}  # type: ignore[dict-item]
    first = make_model("deepbind", values=values, **spec)  # type: ignore[arg-type]
    weights = [draw_weights(first.spec, seed) for seed in range(parts)]
    models = tuple(
        make_model("deepbind", values=values, weights=[each], **{**spec, "tasks": (f"t{i}",)})
        for i, each in enumerate(weights)
    )
    if parts == 1:
        return models[0]
    tasks = tuple(f"t{i}" for i in range(parts))
    whole = make_model("deepbind", values=values, weights=[{}], **{**spec, "tasks": tasks})
    return TrainedModel(whole.spec, (), parts=models)


@pytest.mark.parametrize("over", ["max", "average"])
@pytest.mark.parametrize("flanks", ["unknown", "real"])
@pytest.mark.parametrize(
    ("strands", "values"),
    [
        ("max", {}),
        ("single", {"pooling": "max_mean", "hidden": 3}),
        ("average", {"hidden": 4}),
    ],
)
def test_each_mutant_has_the_bits_that_it_has_whole(
    over: str, flanks: str, strands: str, values: dict[str, object]
) -> None:
    model = collect(
        3, strands=strands, window=9, length=12, over_windows=over, flanks=flanks, values=values
    )
    backend = Engine(model, threads=1)._backend
    for length in (1, 4, 9, 10, 14, 31):
        codes = draw_codes(2, length, seed=length)
        codes[0, length // 2] = 4
        fast = backend.predict_mutants(codes, lambda _: None)
        slow = np.empty_like(fast)
        score_whole_mutants(backend.predict, codes, lambda _: None, slow)
        np.testing.assert_array_equal(fast, slow)


def test_threads_and_pieces_make_no_difference() -> None:
    model = collect(1, strands="max", window=9, length=12)
    codes = draw_codes(1, 600, seed=3)
    told: list[int] = []
    one = Engine(model, threads=1).predict_mutants(codes, progress=told.append)
    three = Engine(model, threads=3).predict_mutants(codes)
    np.testing.assert_array_equal(one, three)
    assert sum(told) == 1
    own = one[0, 0, np.arange(600), np.minimum(codes[0], 3), 0][codes[0] < 4]
    assert len(np.unique(own)) == 1
