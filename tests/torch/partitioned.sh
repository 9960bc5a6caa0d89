#!/bin/sh
# Two processes of a Gloo group in two network namespaces exchange until the link between them is taken down: both report it within the
# time limit and a second. Needs the right to make namespaces.
#
#   tests/torch/partitioned.sh PROGRAM        PROGRAM: built from partitioned.cpp
set -u
program=$1
. "$(dirname "$0")/../two_networks.sh"

in_there timeout 60 "$program" 1 vb "$folder/store" "$folder/report" > "$folder/log.1" 2>&1 &
in_here timeout 60 "$program" 0 va "$folder/store" "$folder/report" > "$folder/log.0" 2>&1 &
cut_when_started $!
