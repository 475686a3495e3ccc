#!/usr/bin/env bash
# Makes .venv from the hash-locked requirements; quick when nothing changed. Needs Python 3.11 to 3.13 and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.installed
wanted=$(cat requirements.lock gen/python/pyproject.toml stack/setup.sh | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    if command -v "$candidate" >/dev/null && fits "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  echo "Tidegate needs Python 3.11, 3.12 or 3.13; none was found on PATH." >&2
  echo "Install one, or name it: make demo PYTHON=/path/to/python3.12" >&2
  exit 1
}

if ! { [ -x .venv/bin/python ] && fits .venv/bin/python; }; then
  python=$(find_python)
  echo "setting up .venv with $("$python" --version)"
  rm -rf .venv
  if ! "$python" -m venv .venv; then
    rm -rf .venv
    echo "The venv module of $python is not complete; on Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
  fi
fi

install() {
  "$@" && return
  echo "Installing the Python packages failed; the lines above say why. If the package index cannot be reached, check the" >&2
  echo "network or set PIP_INDEX_URL and UV_INDEX_URL to your mirror, then run the same command again." >&2
  exit 1
}

# uv itself comes from the same lock, with the same hashes; afterwards it keeps itself at the locked version.
if ! [ -x .venv/bin/uv ]; then
  uv_lock=$(mktemp)
  trap 'rm -f "$uv_lock"' EXIT
  awk '/^[a-zA-Z0-9]/ { keep = /^uv==/ } keep && !/^ *#/' requirements.lock | sed -e '$s/ \\$//' > "$uv_lock"
  .venv/bin/python -m ensurepip >/dev/null
  install .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$uv_lock"
fi
echo "installing the locked Python packages"
install .venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python requirements.lock
install .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --python .venv/bin/python --editable gen/python
echo "$wanted" > "$stamp"
