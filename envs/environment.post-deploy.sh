#!/usr/bin/env bash
# Installs snakemesh itself beside its packages, when Snakemake makes an environment of conda. The
# Snakefile says where it is.
set -euo pipefail
python -m pip install --no-deps "$SNAKEMESH_REQUIREMENT"
