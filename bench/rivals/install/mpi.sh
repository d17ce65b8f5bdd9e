#!/bin/sh
# Installs what the reference "mpi" of bench/run rivals needs, from the distribution's packages. Needs root.
exec apt-get install -y --no-install-recommends openmpi-bin libopenmpi-dev
