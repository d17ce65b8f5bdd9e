#!/bin/sh
# Installs what the reference "ray" of bench/run rivals needs into an environment of its own, build/rivals/ray.
cd "$(dirname "$0")/../../.." || exit 2
python3 -m venv build/rivals/ray && exec build/rivals/ray/bin/python -m pip install --quiet ray numpy
