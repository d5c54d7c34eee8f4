"""The table of all results, the comparisons of methods, and a figure."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.learned import FIRST, is_expected
from benchmarks.accuracy.methods import METHODS

__all__ = ["write_report"]

_SATURATED = 0.98
_SEEDS = {"fast": ("fast", "fast-1", "fast-2"), "default": ("default", "default-1", "default-2")}
_SHOWN = ("pwm", "original", "deepbind", "calibrated", "gkmsvm", "gkm-few", "gkm", "fast")
_SHOWN += ("five", "few", "default")

Results = dict[tuple[str, str], dict[str, Any]]


def write_report(folder: Path, groups: dict[str, str]) -> None:
    """Write accuracy.md and accuracy.png beside a folder of results.

    Parameters
    ----------
    folder
        With SET.METHOD.json.
    groups
        The collection of each set, in order.
    """
    results: Results = {}
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        results[found["set"], found["method"]] = found
    if not results:
        return
    sets = [name for name in groups if any(key[0] == name for key in results)]
    parts = [_table(results, sets, groups), _collections(results, sets, groups)]
    parts += [_errors(results, sets), _seeds(results, sets)]
    learned = {name: results.get((name, "default"), {}).get("motifs", []) for name in sets}
    learned |= _motifs_of_arrays(folder.with_name("assays.json"))
    parts += [_comparisons(results, sets), _others(results, sets), _motifs(learned)]
    parts.append(_machines(results))
    folder.with_suffix(".md").write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")
    _plot(results, sets, folder.with_suffix(".png"))


def _value(results: Results, name: str, method: str, measure: str = "auroc") -> float:
    found = results.get((name, method), {}).get(measure)
    return float("nan") if not found or found["value"] is None else float(found["value"])


def _methods(results: Results) -> list[str]:
    return [name for name in _SHOWN if any(key[1] == name for key in results)]


def _rows(rows: Iterable[Iterable[str]]) -> str:
    head, *body = [list(row) for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _table(results: Results, sets: list[str], groups: dict[str, str]) -> str:
    """AUROC with the bootstrap's 95 % interval of the default."""
    methods = _methods(results)
    titles = {method.name: method.title for method in METHODS}
    rows = [["set", "collection", "composition", *(titles[name] for name in methods)]]
    for name in sets:
        cells = [name, groups[name], _composition(results, name)]
        best = max((_value(results, name, m) for m in methods if (name, m) in results), default=0)
        for method in methods:
            value = _value(results, name, method)
            cell = "" if np.isnan(value) else f"{value:.3f}"
            if method == "default" and cell:
                found = results[name, method]["auroc"]
                cell += f" ({found['low']:.3f}-{found['high']:.3f})"
            cells.append(f"**{cell}**" if value == best else cell)
        rows.append(cells)
    return "AUROC on the test sets (in brackets 95 % intervals of 1000 bootstraps).\n\n" + _rows(
        rows
    )


def _composition(results: Results, name: str) -> str:
    found = [
        r["composition"]["value"]
        for (s, _), r in results.items()
        if s == name and "composition" in r
    ]
    return f"{found[0]:.3f}" if found else ""


def _collections(results: Results, sets: list[str], groups: dict[str, str]) -> str:
    """Tabulate means over the sets of each collection, of methods that all of them have."""
    methods = [name for name in _methods(results) if name != "original"]
    rows = [["collection", "sets", *methods]]
    for group in dict.fromkeys(groups[name] for name in sets):
        own = [name for name in sets if groups[name] == group]
        means = [np.mean([_value(results, name, method) for name in own]) for method in methods]
        cells = ["" if np.isnan(mean) else f"{mean:.4f}" for mean in means]
        rows.append([group, str(len(own)), *cells])
    return "Mean AUROC by collection.\n\n" + _rows(rows)


def _errors(results: Results, sets: list[str]) -> str:
    """Tabulate what is left to gain, where every trained method is nearly perfect."""
    methods = [name for name in _methods(results) if name not in ("pwm", "original")]
    chosen = []
    for name in sets:
        values = [_value(results, name, method) for method in methods]
        known = [value for value in values if not np.isnan(value)]
        if known and min(known) > _SATURATED:
            chosen.append(name)
    if not chosen:
        return ""
    rows = [["set", *methods]]
    for name in chosen:
        values = [1 - _value(results, name, method) for method in methods]
        rows.append([name, *("" if np.isnan(value) else f"{value:.4f}" for value in values)])
    return f"Saturated (every trained method above {_SATURATED}): 1 - AUROC.\n\n" + _rows(rows)


def _seeds(results: Results, sets: list[str]) -> str:
    """Tabulate the standard deviation over three seeds."""
    rows = [["set", *(f"`{name}`" for name in _SEEDS)]]
    for name in sets:
        spreads = [
            np.std([_value(results, name, method) for method in methods], ddof=1)
            for methods in _SEEDS.values()
        ]
        if not np.isnan(spreads).all():
            rows.append([name, *("" if np.isnan(each) else f"{each:.4f}" for each in spreads)])
    return "Standard deviation of AUROC over three seeds.\n\n" + _rows(rows) if rows[1:] else ""


def _comparisons(results: Results, sets: list[str]) -> str:
    """Wins, losses, mean gain and Wilcoxon's signed-rank test of pairs over the sets."""
    from scipy.stats import wilcoxon

    rows = [["better", "than", "sets", "wins", "losses", "mean gain", "p (Wilcoxon)"]]
    for one, other in (
        ("few", "gkmsvm"),
        ("default", "gkmsvm"),
        ("gkm-few", "gkmsvm"),
        ("default", "gkm"),
        ("default", "few"),
        ("default", "five"),
        ("default", "fast"),
        ("fast", "deepbind"),
        ("default", "deepbind"),
        ("default", "calibrated"),
        ("default", "original"),
    ):
        pairs = [(_value(results, name, one), _value(results, name, other)) for name in sets]
        gains = np.array([a - b for a, b in pairs if not np.isnan(a - b)])
        if not len(gains):
            continue
        chance = float(wilcoxon(gains).pvalue) if len(gains) > 4 and gains.any() else float("nan")
        wins, losses = int((gains > 0).sum()), int((gains < 0).sum())
        shown = "" if np.isnan(chance) else f"{chance:.3g}"
        rows.append(
            [one, other, str(len(gains)), str(wins), str(losses), f"{gains.mean():+.4f}", shown]
        )
    return "Paired over the sets.\n\n" + _rows(rows) if rows[1:] else ""


def _others(results: Results, sets: list[str]) -> str:
    """Means of the other measures, and of the time."""
    rows = [["method", "sets", "AUPRC", "log loss", "calibration error", "wall s", "CPU s"]]
    for method in _methods(results):
        own = [results[name, method] for name in sets if (name, method) in results]
        cells = [method, str(len(own))]
        for measure in ("auprc", "log_loss", "calibration_error"):
            values = [r[measure]["value"] for r in own if r.get(measure)]
            cells.append(f"{np.mean(values):.3f}" if values else "")
        cells += [f"{np.mean([r['seconds'][clock] for r in own]):.0f}" for clock in ("wall", "cpu")]
        rows.append(cells)
    return "Means over the sets.\n\n" + _rows(rows)


def _motifs_of_arrays(path: Path) -> dict[str, list[str]]:
    """Read what ``benchmarks.assays`` found on microarrays, on one design of each factor."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    names = [name for name, row in found.items() if name.endswith(" HK") and "motifs" in row]
    return {name.removesuffix(" HK"): found[name]["motifs"] for name in names}


def _motifs(learned: dict[str, list[str]]) -> str:
    """Tabulate the first motifs of the default, and count the sets with the expected one."""
    rows = [["set", *(str(place + 1) for place in range(FIRST))]]
    hits = 0
    for name, found in learned.items():
        if not found:
            continue
        hits += any(is_expected(name, motif) for motif in found)
        cells = [f"**{motif}**" if is_expected(name, motif) else motif or "-" for motif in found]
        rows.append([name, *cells, *[""] * (FIRST - len(cells))])
    told = f"in bold those of the expected family; {hits} of {len(rows) - 1} sets have one"
    title = f"Known motifs (q < .05) most like the first {FIRST} of the default, {told}."
    return f"{title}\n\n{_rows(rows)}" if rows[1:] else ""


def _machines(results: Results) -> str:
    machines = {", ".join(found["machine"].values()) for found in results.values()}
    libraries = {
        ", ".join(f"{name} {version}" for name, version in found["versions"].items())
        for found in results.values()
        if "versions" in found  # the oldest results have none
    }
    lines = [f"- {line}" for line in (*sorted(machines), *sorted(libraries))]
    return "Measured on, and with:\n\n" + "\n".join(lines)


def _plot(results: Results, sets: list[str], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    methods = _methods(results)
    titles = {method.name: method.title.replace("`", "") for method in METHODS}
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.34 * len(sets)), layout="constrained")
    colours = plt.get_cmap("tab10")
    for i, method in enumerate(methods):
        values = [_value(results, name, method) for name in sets]
        colour, size = ("black", 60) if method == "default" else (colours(i % 10), 26)
        axes.scatter(values, range(len(sets)), s=size, color=colour, label=titles[method], zorder=3)
    for row, name in enumerate(sets):
        found = results.get((name, "default"))
        if found:
            span = found["auroc"]["low"], found["auroc"]["high"]
            axes.plot(span, (row, row), color="0.6", linewidth=3, alpha=0.5, zorder=1)
    axes.set_yticks(range(len(sets)), sets)
    axes.invert_yaxis()
    axes.set_xlabel("AUROC on the test set (bar: 95 % interval of the default)")
    axes.grid(axis="x", color="0.9")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)
