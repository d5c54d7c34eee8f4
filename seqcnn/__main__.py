"""``python -m seqcnn``: the same as ``seqcnn``."""

from seqcnn.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main(prog_name="seqcnn")
