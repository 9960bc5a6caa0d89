#!/bin/sh
# Two processes in two network namespaces exchange until the link between them is taken down: both report it within the time limit and
# a second. Needs the right to make namespaces.
#
#   tests/mpi/partitioned.sh MPIEXEC PROGRAM        PROGRAM: built from stopped.cpp
set -u
mpiexec=$1 program=$2
. "$(dirname "$0")/../two_networks.sh"

# What mpiexec starts the other side with, in the place of ssh: its first argument is the host.
printf '#!/bin/sh\nshift\nexec ip netns exec %s sh -c "$*"\n' "$there" > "$folder/agent"
chmod +x "$folder/agent"

only="10.97.0.0/24"
in_here timeout 60 "$mpiexec" --allow-run-as-root --host 10.97.0.1:1,10.97.0.2:1 -n 2 \
  --mca plm_rsh_agent "$folder/agent" --mca oob_tcp_if_include $only \
  --mca btl tcp,self --mca btl_tcp_if_include $only --mca pml ob1 \
  "$program" partitioned "$folder/report" > "$folder/log" 2>&1 &
cut_when_started $!
