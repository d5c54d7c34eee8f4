"""Score a VCF with selene-sdk's variant effect prediction, on the same network.

``python -m benchmarks.scripts.selene_variants NETWORK FASTA VCF FOLDER LENGTH THREADS BATCH``
"""

import sys
import tempfile
from pathlib import Path

import torch
from selene_sdk.predict import AnalyzeSequences
from selene_sdk.sequences import Genome

from benchmarks.networks import load_network


def main() -> None:
    network_path, fasta_path, vcf_path, folder, *numbers = sys.argv[1:]
    length, threads, batch = map(int, numbers)
    torch.set_num_threads(threads)
    both = load_network(network_path)
    with tempfile.TemporaryDirectory() as scratch:
        # It wants a file of weights beside the network.
        weights = str(Path(scratch) / "weights.pt")
        torch.save(both.state_dict(), weights)
        analysis = AnalyzeSequences(
            both,
            weights,
            sequence_length=length,
            features=["site"],
            batch_size=batch,
            reference_sequence=Genome(fasta_path),
        )
        analysis.variant_effect_prediction(vcf_path, save_data=["diffs"], output_dir=folder)


if __name__ == "__main__":
    main()
