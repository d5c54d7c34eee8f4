#!/usr/bin/env bash
# Build the container and try it. Where there is no docker that runs, nor apptainer, run the same
# steps in a fresh environment instead, and say what that leaves open.
#
#     containers/check.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if docker info >/dev/null 2>&1; then
    docker build -f containers/Dockerfile -t seqcnn .
    docker run --rm seqcnn bash /opt/source/install.sh try
    exit 0
fi
if command -v apptainer >/dev/null; then
    folder=$(mktemp -d)
    trap 'rm -rf "${folder}"' EXIT
    apptainer build "${folder}/seqcnn.sif" containers/seqcnn.def
    apptainer test "${folder}/seqcnn.sif"
    exit 0
fi

echo "no docker that runs, and no apptainer: the steps are run in a fresh environment"
folder=$(mktemp -d)
trap 'rm -rf "${folder}"' EXIT

# What the images copy, and nothing else, so that a missing file shows.
mkdir "${folder}/source"
mapfile -t copied < <(sed -n 's/^COPY \(.*\) [^ ]*$/\1/p' containers/Dockerfile | tr ' ' '\n')
for item in "${copied[@]}"; do
    test -e "${item}" || { echo "containers/Dockerfile copies ${item}, which is not there" >&2; exit 1; }
    grep -q "^    ${item} " containers/seqcnn.def \
        || { echo "containers/seqcnn.def does not copy ${item}" >&2; exit 1; }
    cp -r "${item}" "${folder}/source/"
done

bash "${folder}/source/install.sh" seqcnn "${folder}/source" "${folder}/seqcnn"
cd "${folder}" # where no checkout lends its package
PATH="${folder}/seqcnn/bin:${PATH}" bash "${folder}/source/install.sh" try

cat <<'TEXT'
checked: the files that are copied, the installation into a fresh environment, training and prediction.
not checked: the base image, the installation of its Debian packages, and seqcnn within a container.
TEXT
