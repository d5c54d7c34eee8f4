"""Train gkmsvm-lite with its defaults, and write the scores of the test set; see `peers`."""

import sys
from pathlib import Path

import numpy as np
from gkmsvm import one_hot_encode, read_fasta, train_gkmsvm


def main(folder: Path, out: Path) -> None:
    """Read positives.fa, negatives.fa and test.fa of a folder; write a score a line."""
    sides = {name: _sequences(folder / f"{name}.fa") for name in ("positives", "negatives", "test")}
    model = train_gkmsvm(sides["positives"], sides["negatives"])
    rows = np.stack([one_hot_encode(row) for row in sides["test"]])
    np.savetxt(out, np.asarray(model(rows)).ravel())


def _sequences(path: Path) -> list[str]:
    return [letters for _, letters in read_fasta(path)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
