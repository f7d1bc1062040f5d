# Sourced by reproduce.sh and test.sh: makes .venv with a supported Python, installs requirements when they change.
# Usage: source setup.sh REQUIREMENTS_FILE

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10 python; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup.sh: error: no Python 3.10 to 3.13 found; name one with PYTHON=/path/to/python" >&2
    return 2
}

# Waits until no other run sets up here; the lock is on file descriptor 9 and ends with the shell or `exec 9>&-`.
lock_set_up() {
    local python
    python=$(find_python 2>/dev/null || echo .venv/bin/python)
    command -v "$python" >/dev/null || find_python || return 2
    exec 9>.setup.lock
    "$python" -c '
import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Another run sets up .venv; waiting for it", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)'
}

set_up() {
    local requirements=$1 sum stamp python other
    sum=$(cat requirements*.txt | cksum | cut -d' ' -f1)
    stamp=".venv/installed-$sum-$requirements"
    [ -e "$stamp" ] && return
    lock_set_up || return 2
    if [ ! -e "$stamp" ]; then # by the run that had the lock
        if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
            python=$(find_python) || return 2
            echo "Making .venv with $("$python" --version)"
            rm -rf .venv
            "$python" -m venv .venv || return 2
        fi
        for other in .venv/installed-*; do # of other requirements, which no longer hold
            case $other in .venv/installed-"$sum"-*) ;; *) rm -f "$other" ;; esac
        done
        echo "Installing $requirements"
        .venv/bin/python -m pip install --disable-pip-version-check -r "$requirements" || return 2
        touch "$stamp"
    fi
    exec 9>&-
}

set_up "$1" || exit 2
