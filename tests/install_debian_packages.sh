#!/usr/bin/env bash
# Install the programs that some tests need: bcftools and tabix (with bgzip) for a second opinion,
# and Slurm for the workflow on a cluster of one node. Those tests are skipped where the programs
# are missing. Needs root and apt-get, that is Debian or one of its kin; elsewhere it changes
# nothing, says what is missing, and ends with 1. No service is started.
#
#     tests/install_debian_packages.sh
set -euo pipefail

declare -A PACKAGES=(
    [bcftools]=bcftools [tabix]=tabix [bgzip]=tabix
    [slurmctld]=slurmctld [slurmd]=slurmd [sbatch]=slurm-client [munged]=munge
)
APT=(-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)

missing_packages() {
    for program in "${!PACKAGES[@]}"; do
        command -v "${program}" >/dev/null || echo "${PACKAGES[${program}]}"
    done | sort -u
}

versions() {
    echo "$(bcftools --version | head -n 1), $(slurmd -V)"
}

give_up() {
    echo "missing: $(missing_packages | paste -sd ' '); $1" >&2
    exit 1
}

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} == 0)); then
    echo "nothing to install: $(versions)"
    exit 0
fi
command -v apt-get >/dev/null || give_up "no apt-get here: install them in this system's own way"
((EUID == 0)) || give_up "run as root: apt-get install ${missing[*]}"

# Debian's packages start their services; this keeps them from it, unless it is there already.
policy=/usr/sbin/policy-rc.d
if [[ ! -e ${policy} ]]; then
    printf '#!/bin/sh\nexit 101\n' >"${policy}"
    chmod +x "${policy}"
    trap 'rm -f "${policy}"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
install=(apt-get "${APT[@]}" install --yes --no-install-recommends "${missing[@]}")
# The lists of packages may be there already; else they are fetched.
"${install[@]}" >/dev/null 2>&1 </dev/null || {
    apt-get "${APT[@]}" -o APT::Update::Error-Mode=any update </dev/null \
        || give_up "the lists of packages cannot be fetched: no network, or no mirror"
    "${install[@]}" </dev/null >/dev/null || give_up "apt-get could not install them"
}
[[ -z "$(missing_packages)" ]] || give_up "installed, but not on the PATH"
echo "installed: ${missing[*]}; $(versions)"
