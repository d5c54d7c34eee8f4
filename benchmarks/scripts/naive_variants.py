"""Score a VCF record by record: fetch, one-hot, one forward pass an allele and strand.

``python -m benchmarks.scripts.naive_variants NETWORK FASTA VCF OUT LENGTH THREADS``
"""

import sys

import numpy as np
import pysam
import torch

from benchmarks.networks import load_network

_ROWS = np.full((256, 4), 0.25, dtype=np.float32)
for _row, _letter in enumerate("ACGT"):
    _ROWS[ord(_letter)] = np.eye(4)[_row]


def one_hot(letters: str) -> torch.Tensor:
    rows = _ROWS[np.frombuffer(letters.encode(), dtype=np.uint8)]
    return torch.from_numpy(rows.T[None].copy())


def main() -> None:
    network_path, fasta_path, vcf_path, out_path, length, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    both, length = load_network(network_path), int(length)
    fasta = pysam.FastaFile(fasta_path)
    with pysam.VariantFile(vcf_path) as vcf, open(out_path, "w") as out, torch.no_grad():  # noqa: PTH123
        for record in vcf:
            start = record.start - length // 2
            window = fasta.fetch(record.chrom, start, start + length).upper()
            middle = length // 2
            for alt in record.alts:
                mutated = window[:middle] + alt + window[middle + len(record.ref) :]
                reference = both(one_hot(window))[0, 0].item()
                alternative = both(one_hot(mutated))[0, 0].item()
                delta = alternative - reference
                out.write(f"{record.chrom}\t{record.pos}\t{record.ref}\t{alt}\t{delta:.7g}\n")


if __name__ == "__main__":
    main()
