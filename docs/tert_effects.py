"""Compare scored alleles of a saturation mutagenesis with the effects that were measured.

Usage: python docs/tert_effects.py scored.tsv measured.vcf

The VCF has the measured log2 effect (EFF), the number of barcodes (TAGS) and the place in the
genome (GPOS) of each allele in INFO. Substitutions with at least ten barcodes are compared.
"""

import sys
from pathlib import Path

import pandas as pd

FEWEST_BARCODES = 10
MUTATIONS = {"C228T": "chr5:1295113 G>A", "C250T": "chr5:1295135 G>A"}


def read_measured(path: Path) -> pd.DataFrame:
    """Read the measured effect of each substitution, by the ID of its record."""
    rows = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        _, _, name, ref, alt, _, _, info, *_ = line.split("\t")
        fields = dict(item.partition("=")[::2] for item in info.split(";"))
        if len(ref) == len(alt) == 1 and int(fields["TAGS"]) >= FEWEST_BARCODES:
            rows[name] = (f"{fields['GPOS']} {ref}>{alt}", float(fields["EFF"]))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mutation", "measured"])


def main(scored: str, measured: str) -> None:
    """Print the correlations, the ranks of both mutations, and the strongest gains."""
    scores = pd.read_csv(scored, sep="\t", na_values=["."]).set_index("id")
    table = read_measured(Path(measured)).join(scores[["delta", "deepbind", "quantile", "p", "q"]])
    for column in ("delta", "deepbind"):
        pearson = table["measured"].corr(table[column])
        spearman = table["measured"].corr(table[column], method="spearman")
        print(f"{column}: Pearson {pearson:.3f}, Spearman {spearman:.3f}, {len(table)} mutations")
        ranks = table.set_index("mutation")[column].rank(ascending=False)
        print(", ".join(f"{name} ranks {ranks[at]:.0f}" for name, at in MUTATIONS.items()))
    strongest = table.sort_values("delta", ascending=False).head(12)
    print(strongest.to_string(index=False, float_format="{:.4g}".format))


if __name__ == "__main__":
    main(*sys.argv[1:])
