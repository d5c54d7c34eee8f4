"""Score SNVs in plain batches: windows fetched and encoded with numpy, both alleles together.

``python -m benchmarks.scripts.batched_variants NETWORK FASTA VCF OUT LENGTH THREADS BATCH``
"""

import itertools
import sys
from collections.abc import Iterator

import numpy as np
import pysam
import torch

from benchmarks.networks import load_network

_CODES = np.full(256, 4, dtype=np.uint8)
for _code, _letter in enumerate("ACGT"):
    _CODES[[ord(_letter), ord(_letter.lower())]] = _code
_ONE_HOT = torch.cat([torch.eye(4), torch.full((1, 4), 0.25)])


def read_variants(path: str) -> Iterator[tuple[str, int, str, str]]:
    with open(path) as lines:  # noqa: PTH123
        for line in lines:
            if not line.startswith("#"):
                contig, position, _, ref, alts = line.split("\t", 5)[:5]
                for alt in alts.split(","):
                    yield contig, int(position), ref, alt


def main() -> None:
    network_path, fasta_path, vcf_path, out_path, *numbers = sys.argv[1:]
    length, threads, batch = map(int, numbers)
    torch.set_num_threads(threads)
    both, middle = load_network(network_path), length // 2
    fasta = pysam.FastaFile(fasta_path)
    variants = read_variants(vcf_path)
    with open(out_path, "w") as out, torch.inference_mode():  # noqa: PTH123
        while some := list(itertools.islice(variants, batch)):
            windows = np.empty((len(some), length), dtype=np.uint8)
            for row, (contig, position, _, _) in enumerate(some):
                start = position - 1 - middle
                letters = fetch(fasta, contig, start, start + length)
                windows[row] = _CODES[np.frombuffer(letters, dtype=np.uint8)]
            mutated = windows.copy()
            mutated[:, middle] = [_CODES[ord(alt)] for *_, alt in some]
            codes = torch.from_numpy(np.concatenate([windows, mutated])).int()
            logits = both(_ONE_HOT[codes].transpose(1, 2).contiguous())[:, 0]
            deltas = (logits[len(some) :] - logits[: len(some)]).tolist()
            for (contig, position, ref, alt), delta in zip(some, deltas, strict=True):
                out.write(f"{contig}\t{position}\t{ref}\t{alt}\t{delta:.7g}\n")


def fetch(fasta: pysam.FastaFile, contig: str, start: int, end: int) -> bytes:
    return fasta.fetch(contig, start, end).encode()


if __name__ == "__main__":
    main()
