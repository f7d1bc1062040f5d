#!/usr/bin/env bash
# Sets up once, then runs a paper's grid of trainings on this machine or on a cluster, and writes tables, figures and a page.
#
#   ./reproduce.sh --quick [--out DIR]      the four arms, small, on real handwriting: 7 minutes on 2 cores
#   ./reproduce.sh thesis [--help]          the thesis' and the CIARP paper's tables
#
# What is done is skipped: stop it whenever you like, the same command goes on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
(cd "$here" && source ./setup.sh requirements.txt)
exec "$here/.venv/bin/python" "$here/reproduce.py" "$@"
