"""results.md: one table of all results."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measuring import pair_ratios, rates, spread

__all__ = ["format_number", "write_table"]

_HEAD = ("work", "against", "seqcnn", "peer", "ratio (lowest-highest)", "aim", "difference")

_INTRODUCTION = """\
# Benchmarks

Written by `python -m benchmarks` (`make bench`). Rates are medians over repetitions in which the
sides took turns, on {threads} threads each; a ratio is the median over the pairs of one turn.
Loading a side and its first round are not counted: there, code is compiled just in time. A peer
runs at the fastest of the settings that were tried. *aim*: the ratio that was asked for.
*difference*: the largest one between the peer's numbers and seqcnn's on a small part of the work,
looked at before anything was timed.

- A *limit* is no peer: products of large float32 matrices with as many operations as the
  convolution has (for training: forward and back), or a copy of as many bytes. Where operations
  are saved, seqcnn can be beyond it.
- tangermeme's fast mode captures the network in each call, and declines to where a call is
  short; here it never declines, and capturing is not counted, as if the call were endless. It is
  tried with both strands as one network, and strand by strand.
- Peers on slow networks score the mutants of positions in the middle of one sequence; all rates
  are of mutants.
- selene-sdk prints three digits of a score. Variants are compared in windows of odd length: in
  one of even length it puts the variant left of the middle, and seqcnn right of it.
"""


def write_table(results: Sequence[Mapping[str, Any]], *, threads: int) -> str:
    """Spell results as Markdown.

    Parameters
    ----------
    results
        What `measure` gave, with ``machine``; in the order of the rows.
    threads
        CPU threads of a side.
    """
    lines = [_INTRODUCTION.format(threads=threads), _row(_HEAD), _row(["---"] * len(_HEAD))]
    for result in results:
        lines += [_row(cells) for cells in _rows(result)]
    parts = ["\n".join(lines), "![ratios](ratios.png)\n\n![growth](growth.png)"]
    parts += [_settings(results), _machines(results), _versions(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def format_number(value: float) -> str:
    """Spell a rate or a ratio with three digits: 1.23, 45.6, 7,890, 1.23 M."""
    if value >= 999_500:
        return f"{value / 1e6:.3g} M"
    if value >= 99.95:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rows(result: Mapping[str, Any]) -> list[list[str]]:
    subject, unit = result["subject"], result["unit"]
    rows = []
    for peer in result["peers"]:
        work = "" if rows else f"{result['work']} "
        cells = [f"{work}`{result['name']}`", peer["label"]]
        reason = subject.get("missing") or peer.get("missing")
        if reason:
            whose = "seqcnn" if subject.get("missing") else "not measured"
            cells += ["-", "-", f"{whose}: {reason}".replace("|", "/")]
        else:
            middle, low, high = spread(pair_ratios(subject["runs"], peer["runs"]))
            speeds = [spread(rates(side["runs"]))[0] for side in (subject, peer)]
            per = result.get("per", "s")
            times = 3600 if per == "h" else 1
            cells += [f"{format_number(speed * times)} {unit}/{per}" for speed in speeds]
            span = f"{format_number(low)}-{format_number(high)}"
            cells.append(f"**{format_number(middle)}** ({span})")
        aim, difference = peer["aim"], peer.get("difference")
        cells.append("" if aim is None else f">= {aim:g}")
        cells.append("" if difference is None else f"{difference:.1g}")
        rows.append(cells)
    return rows


def _settings(results: Sequence[Mapping[str, Any]]) -> str:
    """List the settings that peers ran at, and how many were tried."""
    lines = [
        f"- `{result['name']}`, {peer['label']}: {_spell(peer['setting'])}"
        f" (of {len(peer['tried'])} tried)"
        for result in results
        for peer in result["peers"]
        if peer.get("setting")
    ]
    return "\n".join(["## Settings of the peers", "", *lines]) if lines else ""


def _spell(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in setting.items())


def _machines(results: Sequence[Mapping[str, Any]]) -> str:
    """Describe each machine and commit once, with the rows that were measured so."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for result in results:
        found.setdefault(tuple(result["machine"].items()), []).append(result["name"])
    lines = ["## Machine"]
    for machine, names in found.items():
        lines += ["", ", ".join(f"`{name}`" for name in names) + ":", ""]
        lines += [f"- {key}: {value}" for key, value in machine]
    return "\n".join(lines)


def _versions(results: Sequence[Mapping[str, Any]]) -> str:
    """List the versions that each side ran with, sides with the same ones together."""
    found: dict[str, set[str]] = {}
    for result in results:
        for side in (result["subject"], *result["peers"]):
            if side.get("versions"):
                versions = ", ".join(f"{name} {v}" for name, v in side["versions"].items())
                found.setdefault(versions, set()).add(side["label"])
    lines = [f"- {'; '.join(sorted(labels))}: {versions}" for versions, labels in found.items()]
    return "\n".join(["## Versions", "", *lines]) if lines else ""
