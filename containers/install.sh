#!/usr/bin/env bash
# The steps of the containers, each for itself, so that they can be run and checked anywhere:
#
#     install.sh packages                  what seqcnn needs of Debian (root)
#     install.sh seqcnn SOURCE TARGET      seqcnn of the checkout SOURCE, in an environment at TARGET
#     install.sh try                       whether the seqcnn on the PATH works
#
# PIP_OPTIONS is handed to pip, such as "--extra-index-url ...".
set -euo pipefail

packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    # procps: Snakemake measures the memory of a job with it.
    apt-get -qq install --yes --no-install-recommends python3 python3-venv procps ca-certificates
    rm -rf /var/lib/apt/lists/*
}

seqcnn_into() {
    local source=$1 target=$2
    python3 -m venv "${target}"
    # shellcheck disable=SC2086 # several words
    "${target}/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        ${PIP_OPTIONS:-} -c "${source}/constraints.txt" "${source}[parquet]"
}

try() {
    local folder
    folder=$(mktemp -d)
    trap 'rm -rf "${folder}"' RETURN
    seqcnn --version
    # A motif in half of some sequences, learned and looked for.
    python3 - "${folder}" <<'PYTHON'
import random, sys

random.seed(0)
letters = lambda n: "".join(random.choices("ACGT", k=n))
for name, middle in (("positives", "TGACTCAGCA"), ("negatives", "")):
    with open(f"{sys.argv[1]}/{name}.fa", "w") as file:
        for i in range(60):
            sequence = letters(20) + (middle or letters(10)) + letters(20)
            print(f">{name}{i}\n{sequence}", file=file)
PYTHON
    (
        cd "${folder}"
        seqcnn train -q --positives positives.fa --negatives negatives.fa --arch deepbind \
            --set detectors=4 --steps 20 --device cpu -o run
        seqcnn predict -q -m run/model.safetensors positives.fa -o scores.tsv
        test "$(wc -l <scores.tsv)" -eq 61
    )
    echo "seqcnn works"
}

case "${1:-}" in
    packages) packages ;;
    seqcnn) seqcnn_into "$2" "$3" ;;
    try) try ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
