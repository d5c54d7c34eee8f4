"""``python -m benchmarks [NAME ...] [--quick]``."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.catalogue import BENCHMARKS
from benchmarks.figures import plot_growth, plot_ratios
from benchmarks.machine import describe_machine
from benchmarks.measuring import Benchmark, measure
from benchmarks.processes import THREADS
from benchmarks.tables import write_table

_HERE = Path(__file__).parent
_WORK = _HERE / ".work"
RESULTS = _HERE / "results"


def main() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure seqcnn beside plain PyTorch and named peers.",
        epilog="NAMEs: " + ", ".join(names),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="little work, by default of some, to see that all runs; results in .work/quick",
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(names)}")
    folder = _WORK / "quick" if options.quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    for benchmark in BENCHMARKS:
        if benchmark.name in options.names or _is_meant(benchmark, options):
            began = time.perf_counter()
            print(benchmark.name, file=sys.stderr)
            result = measure(benchmark, _WORK / benchmark.name, quick=options.quick)
            text = json.dumps(result | {"machine": machine}, indent=1)
            (folder / f"{benchmark.name}.json").write_text(text + "\n", encoding="utf-8")
            print(f"  {time.perf_counter() - began:.0f} s", file=sys.stderr)
    write_report(folder)
    print((folder / "results.md").read_text(encoding="utf-8"))


def _is_meant(benchmark: Benchmark, options: argparse.Namespace) -> bool:
    return not options.names and (benchmark.smoke or not options.quick)


def write_report(folder: Path) -> None:
    """Write results.md and the figures from all results that lie in a folder."""
    paths = [folder / f"{benchmark.name}.json" for benchmark in BENCHMARKS]
    results: list[dict[str, Any]] = [
        json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()
    ]
    table = write_table(results, threads=THREADS)
    (folder / "results.md").write_text(table, encoding="utf-8")
    plot_ratios(results, folder / "ratios.png")
    plot_growth(results, folder / "growth.png")


if __name__ == "__main__":
    main()
