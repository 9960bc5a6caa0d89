#!/bin/sh
# Two processes in two network namespaces exchange until the link between them is taken down: both report it within the time limit and
# a second. Needs the right to make namespaces.
#
#   tests/mpi/partitioned.sh MPIEXEC PROGRAM        PROGRAM: built from stopped.cpp
set -u
mpiexec=$1 program=$2
here=lnpt-a-$$ there=lnpt-b-$$
skip() { echo "skipped: $1"; exit 77; }

command -v ip > /dev/null || skip "there is no ip (package iproute2)"
folder=$(mktemp -d)
clean_up() {  # what mpiexec started there does not hear that it is to end
  for namespace in "$here" "$there"; do ip netns pids $namespace 2> /dev/null | xargs -r kill -9; done
  ip netns del "$here" 2> /dev/null
  ip netns del "$there" 2> /dev/null
  rm -rf "$folder"
}
trap clean_up EXIT
ip netns add "$here" 2> /dev/null && ip netns add "$there" 2> /dev/null || skip "network namespaces cannot be made here"
ip link add va netns "$here" type veth peer name vb netns "$there" 2> /dev/null || skip "interfaces cannot be made here"
in_here() { ip netns exec "$here" "$@"; }
in_there() { ip netns exec "$there" "$@"; }
in_here ip link set lo up && in_there ip link set lo up
in_here ip addr add 10.97.0.1/24 dev va && in_here ip link set va up
in_there ip addr add 10.97.0.2/24 dev vb && in_there ip link set vb up

# What mpiexec starts the other side with, in the place of ssh: its first argument is the host.
printf '#!/bin/sh\nshift\nexec ip netns exec %s sh -c "$*"\n' "$there" > "$folder/agent"
chmod +x "$folder/agent"

only="10.97.0.0/24"
in_here timeout 60 "$mpiexec" --allow-run-as-root --host 10.97.0.1:1,10.97.0.2:1 -n 2 \
  --mca plm_rsh_agent "$folder/agent" --mca oob_tcp_if_include $only \
  --mca btl tcp,self --mca btl_tcp_if_include $only --mca pml ob1 \
  "$program" partitioned "$folder/report" > "$folder/log" 2>&1 &
run=$!
for i in $(seq 300); do
  [ -e "$folder/report" ] && break
  kill -0 $run 2> /dev/null || break
  sleep 0.1
done
[ -e "$folder/report" ] || { cat "$folder/log"; echo "the processes did not meet"; exit 1; }
sleep 0.5
in_here ip link set va down
for i in $(seq 100); do
  [ -s "$folder/report.0" ] && [ -s "$folder/report.1" ] && break
  sleep 0.1
done
status=0
for rank in 0 1; do
  printf 'rank %s ' $rank
  cat "$folder/report.$rank" 2> /dev/null || echo "has said nothing"
  grep -q '^reported in time: ' "$folder/report.$rank" 2> /dev/null || status=1
done
exit $status
