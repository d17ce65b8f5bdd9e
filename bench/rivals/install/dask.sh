#!/bin/sh
# Installs what the reference "dask" of bench/run rivals needs into an environment of its own, build/rivals/dask.
cd "$(dirname "$0")/../../.." || exit 2
python3 -m venv build/rivals/dask && exec build/rivals/dask/bin/python -m pip install --quiet dask distributed numpy
