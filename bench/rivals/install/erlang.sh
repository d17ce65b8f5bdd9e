#!/bin/sh
# Installs what the reference "erlang" of bench/run rivals needs, from the distribution's packages. Needs root.
exec apt-get install -y --no-install-recommends erlang-base
