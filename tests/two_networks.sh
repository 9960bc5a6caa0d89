# Two network namespaces and a link between them, for a script that sources this: $here with interface va at 10.97.0.1, $there with vb at
# 10.97.0.2, and a temporary $folder; all of it goes when the script ends. Ends with 77 where namespaces cannot be made.
here=lnpt-a-$$ there=lnpt-b-$$
skip() { echo "skipped: $1"; exit 77; }

command -v ip > /dev/null || skip "there is no ip (package iproute2)"
folder=$(mktemp -d)
clean_up() {  # what runs in a namespace does not hear that the script ends
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

# cut_when_started PID: takes the link down once the processes have made $folder/report, and waits for what each of them reports; ends with
# 1 unless both did so in time. PID: of what runs them, which may end early.
cut_when_started() {
  for i in $(seq 300); do
    [ -e "$folder/report" ] && break
    kill -0 "$1" 2> /dev/null || break
    sleep 0.1
  done
  [ -e "$folder/report" ] || { cat "$folder"/log*; echo "the processes did not meet"; exit 1; }
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
}
