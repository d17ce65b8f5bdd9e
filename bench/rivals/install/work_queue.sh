#!/bin/sh
# Installs what the reference "work_queue" of bench/run rivals needs, from the distribution's packages. Needs root.
exec apt-get install -y --no-install-recommends coop-computing-tools coop-computing-tools-dev zlib1g-dev libssl-dev
