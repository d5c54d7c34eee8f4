"""Exchanged bases, alleles and scans against plain float64 passes over every single window."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seqcnn.architectures import configure
from seqcnn.architectures.networks import build_network
from seqcnn.dna import UNKNOWN, one_hot, reverse_complement
from seqcnn.engine.pooled_torch import TorchPooled, supports

LARGEST_DIFFERENCE = 1e-5
STRANDS = ("average", "max", "single")
FAMILIES = [
    ("motif", {"detectors": 5, "width": 4}, 1),
    ("motif", {"detectors": 1, "width": 1}, 2),
    ("motif", {"detectors": 18, "width": 10, "ceiling": 0.5}, 3),
    ("motif", {"detectors": 6, "width": 7, "hidden": 0}, 2),
    ("deepbind", {"detectors": 4, "width": 5}, 2),
    ("deepbind", {"detectors": 1, "width": 1, "pooling": "max_mean"}, 1),
    ("deepbind", {"detectors": 3, "width": 7, "pooling": "max_mean", "hidden": 3}, 2),
    ("deepbind", {"detectors": 6, "width": 24, "hidden": 4}, 1),
]
each_family = pytest.mark.parametrize(("family", "values", "tasks"), FAMILIES)
each_strands = pytest.mark.parametrize("strands", STRANDS)
each_case = pytest.mark.parametrize(
    ("family", "values", "tasks", "strands"),
    [(*chosen, STRANDS[i % 3]) for i, chosen in enumerate(FAMILIES)],
)


def make_network(family, values, tasks, seed=0):
    """A network with random weights and statistics, in eval mode."""
    network = build_network(configure(family, values), tasks=tasks, seed=seed).eval()
    rng = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            for values_ in (module.weight.data, module.bias.data, module.running_mean):
                values_.normal_(generator=rng)
            module.running_var.uniform_(0.5, 2, generator=rng)
    if family == "deepbind":
        network.thresholds.data.normal_(generator=rng)
    else:
        network.detectors.data.mul_(10)  # as after training
        network.norm.running_var.mul_(2)
    return network


def make_pooled(network, strands, cells=0):
    return TorchPooled(network, copy.deepcopy(network.head).double(), strands, cells=cells)


def score_slowly(network, codes, strands):
    """All windows (n, length) through the whole network in float64."""
    network = copy.deepcopy(network).double()
    unknown = network.unknown
    both = [codes] if strands == "single" else [codes, reverse_complement(codes)]
    with torch.no_grad():
        logits = [
            network(torch.from_numpy(one_hot(side, unknown=unknown)).double()).numpy()
            for side in both
        ]
    return np.max(logits, axis=0) if strands == "max" else np.mean(logits, axis=0)


def mutants_of(codes):
    """Every substitution (n, length, 4) of codes (n, length)."""
    length = codes.shape[1]
    mutants = np.broadcast_to(codes[:, None, None], (len(codes), length, 4, length)).copy()
    for i in range(length):
        mutants[:, i, :, i] = range(4)
    return mutants


def draw(seed, *shape):
    """Random codes with runs of N, and repeats, in which detectors score the same."""
    rng = np.random.default_rng(seed)
    flat = rng.integers(0, 4, int(np.prod(shape)), dtype=np.uint8)
    for _ in range(1 + len(flat) // 60):
        start, length = rng.integers(len(flat) + 1), rng.integers(1, 9)
        flat[start : start + length] = UNKNOWN
        start, period, length = rng.integers(len(flat) + 1), rng.integers(1, 4), rng.integers(20)
        part = flat[start : start + length]
        part[:] = np.resize(part[:period], len(part)) if len(part) else part
    return flat.reshape(shape)


def tensor(codes):
    return torch.from_numpy(np.ascontiguousarray(codes))


def close(found, expected):
    assert found.dtype == torch.float64
    assert tuple(found.shape) == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=LARGEST_DIFFERENCE)


def printed(logits):
    return np.char.mod("%.6g", logits.numpy())


# Against the oracle


@each_family
@each_strands
def test_windows_and_mutants_are_those_of_the_plain_network(family, values, tasks, strands) -> None:
    network = make_network(family, values, tasks)
    pooled = make_pooled(network, strands)
    for length in (*range(network.shortest, network.shortest + 3), 37):
        codes = draw(length, 4, length)
        close(pooled.windows(tensor(codes)), score_slowly(network, codes, strands))
        mutants = pooled.mutants(tensor(codes))
        slow = score_slowly(network, mutants_of(codes).reshape(-1, length), strands)
        close(mutants, slow.reshape(4, length, 4, tasks))


@each_family
@each_strands
def test_alleles_are_those_of_the_plain_network(family, values, tasks, strands) -> None:
    network = make_network(family, values, tasks)
    pooled = make_pooled(network, strands)
    for length in (network.shortest, network.shortest + 3, 40, 75):
        ref, alt = draw_alleles(length, 40, length)
        of_ref, of_alt = pooled.alleles(tensor(ref), tensor(alt))
        close(of_ref, score_slowly(network, ref, strands))
        close(of_alt, score_slowly(network, alt, strands))


def draw_alleles(seed, n, length):
    """Substitutions of one and of several bases, insertions, deletions, and no change."""
    rng = np.random.default_rng(seed)
    ref = draw(seed, n, length)
    alt = ref.copy()
    for row in range(n):
        start = rng.choice([0, rng.integers(length), length - 1])
        size = int(rng.integers(1, 9))
        kind = row % 5
        if kind == 0:
            alt[row, start] = (alt[row, start] + rng.integers(1, 5)) % 5
        elif kind == 1:
            alt[row, start : start + size] = rng.integers(0, 5, size)[: length - start]
        elif kind == 2:
            grown = np.insert(ref[row], start, rng.integers(0, 4, size))
            alt[row] = grown[:length]
        elif kind == 3:
            cut = np.delete(ref[row], slice(start, start + size))
            alt[row] = np.resize(np.append(cut, rng.integers(0, 4, length)), length)
    return ref, alt


@each_family
@each_strands
def test_a_scan_scores_every_window_as_if_alone(family, values, tasks, strands) -> None:
    network = make_network(family, values, tasks)
    contig = draw(11, 120)
    for length in (network.shortest, network.shortest + 1, values["width"], 30, 120):
        expected = score_slowly(
            network, np.lib.stride_tricks.sliding_window_view(contig, length), strands
        )
        for cells in (1, 3000, 0):
            parts = list(make_pooled(network, strands, cells).scan(tensor(contig), length))
            starts = np.cumsum([0, *(len(logits) for _, logits in parts)])
            assert [start for start, _ in parts] == starts[:-1].tolist()
            close(torch.cat([logits for _, logits in parts]), expected)


@given(
    st.sampled_from(FAMILIES),
    st.sampled_from(STRANDS),
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(1, 5000),
)
def test_any_network_and_sequence(chosen, strands, seed, more, cells) -> None:
    network = make_network(*chosen, seed=seed)
    pooled = make_pooled(network, strands, cells)
    length = network.shortest + more
    codes = draw(seed, 2, length)
    mutants = pooled.mutants(tensor(codes))
    rng = np.random.default_rng(seed)
    which = np.stack([rng.integers(0, high, 20) for high in (2, length, 4)])
    chosen_mutants = mutants_of(codes)[tuple(which)]
    close(mutants[tuple(which)], score_slowly(network, chosen_mutants, strands))
    contig = np.append(codes[0], codes[1, : min(length, 9)])
    found = torch.cat([logits for _, logits in pooled.scan(tensor(contig), length)])
    windows = np.lib.stride_tricks.sliding_window_view(contig, length)
    close(found, score_slowly(network, windows, strands))


# What holds for any network


@each_case
def test_a_base_in_its_own_place_changes_nothing_at_all(family, values, tasks, strands) -> None:
    network = make_network(family, values, tasks)
    pooled = make_pooled(network, strands)
    codes = draw(3, 5, 40)
    mutants, windows = pooled.mutants(tensor(codes)).numpy(), pooled.windows(tensor(codes)).numpy()
    rows, places = np.nonzero(codes != UNKNOWN)
    own = mutants[rows, places, codes[rows, places]]
    np.testing.assert_allclose(own, windows[rows], rtol=1e-13)
    for row in range(5):  # within a sequence it is one number, to the last bit
        assert len(np.unique(own[rows == row], axis=0)) == 1


@each_case
def test_the_size_of_the_blocks_changes_nothing_that_is_printed(
    family, values, tasks, strands
) -> None:
    network = make_network(family, values, tasks)
    codes, contig = draw(5, 7, 45), draw(6, 400)
    ref, alt = draw_alleles(7, 30, 45)
    results = []
    for cells in (1, 700, 20_000, 2**22):
        pooled = make_pooled(network, strands, cells)
        scan = torch.cat([logits for _, logits in pooled.scan(tensor(contig), 45)])
        both = torch.cat(pooled.alleles(tensor(ref), tensor(alt)))
        made = (pooled.windows(tensor(codes)), pooled.mutants(tensor(codes)), both, scan)
        results.append([printed(logits) for logits in made])
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


@each_case
def test_scores_and_sums_are_exact_whatever_the_block(family, values, tasks, strands) -> None:
    network = make_network(family, values, tasks)
    codes = tensor(draw(5, 3, 60)).int()
    one, other = (make_pooled(network, strands, cells) for cells in (1, 2**22))
    left, right = one._pool(codes), other._pool(codes)
    assert torch.equal(left.maxima, right.maxima)
    assert left.sums is None or torch.equal(left.sums, right.sums)


@each_family
@pytest.mark.parametrize("strands", ["average", "max"])
def test_both_strands_of_a_sequence_score_the_same(family, values, tasks, strands) -> None:
    pooled = make_pooled(make_network(family, values, tasks), strands)
    codes = draw(9, 6, 40)
    other = reverse_complement(codes)
    mutants = pooled.mutants(tensor(codes))
    of_other = pooled.mutants(tensor(other)).flip(1, 2)
    np.testing.assert_allclose(mutants.numpy(), of_other.numpy(), rtol=1e-12, atol=1e-12)


@each_family
def test_neither_order_nor_neighbours_change_what_is_printed(family, values, tasks) -> None:
    pooled = make_pooled(make_network(family, values, tasks), "average")
    ref, alt = draw_alleles(13, 25, 50)
    order = np.random.default_rng(0).permutation(25)
    together = pooled.alleles(tensor(ref), tensor(alt))
    mixed = pooled.alleles(tensor(ref[order]), tensor(alt[order]))
    for one, other in zip(together, mixed, strict=True):
        np.testing.assert_array_equal(printed(one)[order], printed(other))
    alone = [pooled.alleles(tensor(ref[i : i + 1]), tensor(alt[i : i + 1])) for i in range(25)]
    for one, other in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(printed(one), printed(torch.cat(other)))


def test_alleles_that_do_not_differ_score_the_same() -> None:
    pooled = make_pooled(make_network(*FAMILIES[5]), "max")
    codes = tensor(draw(1, 6, 60))
    ref, alt = pooled.alleles(codes, codes.clone())
    assert torch.equal(ref, alt)


def test_a_long_sum_of_large_activations_does_not_overflow() -> None:
    network = make_network("motif", {"detectors": 2, "width": 3, "ceiling": 20.0}, 1)
    network.norm.bias.data.fill_(19)  # e^19 at most positions
    contig = draw(2, 30_000)
    scanned = make_pooled(network, "average", 2**22).scan(tensor(contig), 500)
    logits = torch.cat([logits for _, logits in scanned])
    chosen = np.lib.stride_tricks.sliding_window_view(contig, 500)[::997]
    expected = score_slowly(network, chosen, "average")
    np.testing.assert_allclose(logits[::997].numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("unknown", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("chosen", [FAMILIES[0], FAMILIES[3]])
def test_unknown_bases_have_the_value_of_the_network(chosen, unknown) -> None:
    network = make_network(*chosen)
    network.unknown = unknown
    pooled = make_pooled(network, "average")
    codes = draw(1, 5, 30)
    close(pooled.windows(tensor(codes)), score_slowly(network, codes, "average"))
    slow = score_slowly(network, mutants_of(codes).reshape(-1, 30), "average")
    close(pooled.mutants(tensor(codes)), slow.reshape(5, 30, 4, -1))
    ref, alt = draw_alleles(1, 20, 30)
    for found, side in zip(pooled.alleles(tensor(ref), tensor(alt)), (ref, alt), strict=True):
        close(found, score_slowly(network, side, "average"))
    ((_, scanned),) = pooled.scan(tensor(codes.ravel()), 30)
    windows = np.lib.stride_tricks.sliding_window_view(codes.ravel(), 30)
    close(scanned, score_slowly(network, windows, "average"))


# On a GPU


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@each_family
@each_strands
def test_a_gpu_says_what_the_cpu_says(family, values, tasks, strands) -> None:
    network = make_network(family, values, tasks)
    host, device = (
        make_pooled(network, strands),
        make_pooled(copy.deepcopy(network).cuda(), strands),
    )
    codes, contig = tensor(draw(5, 70, 90)), tensor(draw(6, 5000))
    ref, alt = map(tensor, draw_alleles(7, 200, 90))
    on_host, on_device = (
        [
            pooled.windows(codes),
            pooled.mutants(codes),
            *pooled.alleles(ref, alt),
            *pooled.alleles(ref.to(pooled.device), alt.to(pooled.device)),
            torch.cat([logits for _, logits in pooled.scan(contig, 90)]),
        ]
        for pooled in (host, device)
    )
    for one, other in zip(on_host, on_device, strict=True):
        assert other.is_cuda
        torch.testing.assert_close(other.cpu(), one, rtol=1e-10, atol=1e-10)


# Ends


@each_family
def test_nothing_gives_nothing(family, values, tasks) -> None:
    pooled = make_pooled(make_network(family, values, tasks), "average")
    none = torch.empty(0, 30, dtype=torch.uint8)
    assert pooled.windows(none).shape == (0, tasks)
    assert pooled.mutants(none).shape == (0, 30, 4, tasks)
    assert [len(side) for side in pooled.alleles(none, none)] == [0, 0]
    assert list(pooled.scan(torch.zeros(29, dtype=torch.uint8), 30)) == []
    assert list(pooled.scan(none.flatten(), 30)) == []


def test_windows_shorter_than_a_detector_are_refused() -> None:
    pooled = make_pooled(make_network("motif", {"detectors": 2, "width": 4}, 1), "single")
    codes = torch.zeros(2, 3, dtype=torch.uint8)
    for call in (pooled.windows, pooled.mutants, lambda _: list(pooled.scan(codes[0], 3))):
        with pytest.raises(ValueError, match="windows of 3 bp for detectors of 4 bp"):
            call(codes)


def test_only_global_pooling_is_supported() -> None:
    assert all(supports(make_network(*chosen)) for chosen in FAMILIES)
    stacked = nn.Sequential(nn.Conv1d(4, 2, 3))
    assert not supports(stacked)
    with pytest.raises(TypeError, match="Sequential has no global pooling"):
        TorchPooled(stacked, nn.Identity(), "single")
