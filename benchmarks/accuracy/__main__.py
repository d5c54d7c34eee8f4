"""``python -m benchmarks.accuracy [NAME ...] --data DIR``: resumable.

A NAME is a data set, a collection of them (``encode_chipseq``) or a method; what is done already
(results/accuracy/SET.METHOD.json) is not done again. The table and the figure are written anew.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from benchmarks.accuracy.methods import METHODS, Method, measure_method
from benchmarks.accuracy.report import write_report
from benchmarks.accuracy.sets import DataSet, find_sets
from benchmarks.environments import InstallationError
from benchmarks.machine import describe_machine
from benchmarks.worker import list_versions

_LIBRARIES = ("seqcnn", "torch", "numpy", "numba", "scikit-learn")
_HERE = Path(__file__).parent.parent
_WORK = _HERE / ".work" / "accuracy"
_DATA = _HERE.parent / ".." / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="Measure how well sites are told from the rest, beside named peers.",
        epilog="METHODs: " + ", ".join(method.name for method in METHODS),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="sets, collections or methods")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder with encode_chipseq/, ...")
    parser.add_argument("--results", type=Path, default=_HERE / "results" / "accuracy")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="write the table only")
    options = parser.parse_args()
    sets = list(find_sets(options.data.resolve(), _WORK / "data"))
    asked = set(options.names)
    unknown = asked - {word for d in sets for word in (d.name, d.group)}
    unknown -= {method.name for method in METHODS}
    if unknown:
        parser.error(f"no set and no method {sorted(unknown)[0]!r}")
    options.results.mkdir(parents=True, exist_ok=True)
    for method in METHODS:
        for data in sets:
            if not options.report and method.suits(data) and _is_meant(method, data, asked):
                _measure(method, data, options)
    write_report(options.results, {data.name: data.group for data in sets})


def _is_meant(method: Method, data: DataSet, asked: set[str]) -> bool:
    methods = asked & {each.name for each in METHODS}
    places = asked - methods
    chosen = not places or data.name in places or data.group in places
    return chosen and (not methods or method.name in methods)


def _measure(method: Method, data: DataSet, options: argparse.Namespace) -> None:
    path = options.results / f"{data.name}.{method.name}.json"
    if path.exists():
        return
    work = _WORK / f"{data.name}.{method.name}"
    work.mkdir(parents=True, exist_ok=True)
    public = options.data.resolve()
    try:
        figures = measure_method(method, data, work, public, options.threads)
    except (InstallationError, RuntimeError) as problem:
        print(f"{data.name} {method.name}: {problem}", file=sys.stderr)
        return
    figures |= {"set": data.name, "group": data.group, "method": method.name}
    figures |= {"machine": describe_machine(options.threads), "versions": list_versions(_LIBRARIES)}
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(work / "run", ignore_errors=True)
    value = figures["auroc"]["value"]
    print(f"{data.name} {method.name}: AUROC {value:.4f}, {figures['seconds']}", file=sys.stderr)


if __name__ == "__main__":
    main()
