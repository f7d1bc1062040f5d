#!/usr/bin/env bash
# Sets up once and runs the thesis' four ways of training on real handwritten digits, end to end.
#
#   ./reproduce.sh --quick [--out runs/quick]
#
# Reads   scikit-learn's 1,797 digits, scaled to 28x28; nothing but Python packages is downloaded
# Writes  <out>/: data, models, gen, and a run folder an arm; a finished step is skipped
# Takes   7 minutes on 2 cores, the install included (10 s when done); 500 optimiser steps of batch 32 an arm
set -euo pipefail

usage="usage: ./reproduce.sh --quick [--out DIR]"
fail() {
    echo "reproduce.sh: error: $1; $usage" >&2
    exit 2
}

out=$(dirname "$0")/runs/quick quick=""
while [ $# -gt 0 ]; do
    case "$1" in
        --quick) quick=yes ;;
        --out)
            [ -n "${2:-}" ] || fail "--out needs a folder"
            out=$2
            shift
            ;;
        -h | --help)
            echo "$usage"
            exit
            ;;
        *) fail "unknown argument $1" ;;
    esac
    shift
done
[ -n "$quick" ] || fail "nothing to do"
out=$(realpath -m "$out")
cd "$(dirname "$0")"

source ./setup.sh requirements.txt
python=.venv/bin/python

$python prepare_data.py --dataset digits --out "$out/data"
$python train_vae.py --all -path "$out/data" --images 5 --latent 3 --out "$out/models"
$python generate.py -models "$out/models" --count 500 --out "$out/gen"
for arm in cnn vae aug aug+vae; do
    flags=()
    case $arm in *vae) flags+=(-vae "$out/gen") ;; esac
    case $arm in aug*) flags+=(--aug) ;; esac
    mkdir -p "$out/log"
    echo "$arm: 500 optimiser steps on 50 images"
    $python train_cnn.py -path "$out/data" -limtr 5 -limte -1 --steps 500 -e 10 "${flags[@]}" --out "$out/$arm" \
        >"$out/log/$arm.txt"
done
$python -m experiments.tables "$out"
