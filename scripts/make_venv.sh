#!/bin/sh
# Makes a virtual environment at $1 with the first Python on this machine that the project supports.
set -eu

target=$1
# `import venv, ensurepip`: some systems ship Python without them. Running it, not looking it up, is the test:
# version managers leave commands on the path that only say that they are not installed.
suits='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

for python in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if "$python" -c "$suits" >/dev/null 2>&1; then
        echo "Making $target with $("$python" --version 2>&1) …"
        exec "$python" -m venv --clear "$target"
    fi
done

cat >&2 <<'MESSAGE'
No Python 3.11 or newer with venv was found on this machine.

  Debian, Ubuntu   sudo apt install python3 python3-venv
  macOS            brew install python@3.13
  elsewhere        python.org, or your system's packages

Another place than the usual names: make run PYTHON=/path/to/python3.13
MESSAGE
exit 1
