#!/usr/bin/env bash
# Sets up once, then runs a paper's grid of trainings, on this machine or on a cluster, and writes tables, figures and a page.
#
#   ./reproduce.sh --quick [--out DIR]      the four arms, small, on real handwriting (docs/cost.md says how long)
#   ./reproduce.sh thesis [--help]          the tables of the thesis and of the CIARP paper
#   ./reproduce.sh scarce [--help]          the tables of Maronas, Paredes and Ramos 2018: RBMs, few labels
#   ./reproduce.sh neural [--help]          the tables of Eduardo and Kazi 2018: conditional VAE and GAN, rotation, blur
#   ./reproduce.sh contest [--help]         a leaderboard of generators and augmentations, 5 and 10 images per class
#
# What is done is skipped: stop it whenever you like, the same command goes on.
set -euo pipefail
if [ $# -eq 0 ]; then
    echo "reproduce.sh: error: nothing to do; usage: ./reproduce.sh --quick | thesis | scarce | neural | contest [--help]" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
(cd "$here" && source ./setup.sh requirements.txt)
exec "$here/.venv/bin/python" "$here/reproduce.py" "$@"
