#!/usr/bin/env bash
# Sets up once, then lints and runs the tests. Arguments go to pytest: ./test.sh -m slow
set -euo pipefail
cd "$(dirname "$0")"
source ./setup.sh requirements-dev.txt
.venv/bin/ruff check .
.venv/bin/ruff format --check .
exec .venv/bin/python -m pytest -n auto --dist loadfile "$@"
