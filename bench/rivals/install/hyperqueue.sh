#!/bin/sh
# Installs what the reference "hyperqueue" of bench/run rivals needs into an environment of its own, build/rivals/hyperqueue.
cd "$(dirname "$0")/../../.." || exit 2
python3 -m venv build/rivals/hyperqueue && exec build/rivals/hyperqueue/bin/python -m pip install --quiet hyperqueue
