#!/bin/sh
# The rows of pruning out of core in docs/measurements.md: time beside `dd`, memory under `ulimit -v`, and the same pruning in Python.
#
#   bench/out_of_core.sh LNPT [PYTHON]        PYTHON: one with torch and safetensors; without it its rows are left out
#
# Writes some 7 GB into a temporary folder (TMPDIR chooses where); the sparse file of 6.4 GiB takes no room, its pruned copy does not
# either, since zeros are not written. Times are the least of three runs on files that the page cache holds; both sides end with the output
# on the disk (fdatasync).
set -eu
lnpt=$(realpath "$1")
python=${2:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# A file of one layer after another: make NAME DTYPE BYTES_A_WEIGHT ROWS LAYERS, each layer ROWS × 4096, its data from /dev/zero or drawn.
header() {  # NAME DTYPE WIDTH ROWS LAYERS
  awk -v dtype="$2" -v width="$3" -v rows="$4" -v layers="$5" 'BEGIN {
    printf "{"
    for (i = 0; i < layers; ++i) {
      size = rows * 4096 * width
      printf "%s\"layer%d.weight\":{\"dtype\":\"%s\",\"shape\":[%d,4096],\"data_offsets\":[%.0f,%.0f]}", (i ? "," : ""), i, dtype, rows, i * size, (i + 1) * size
    }
    printf "}"
  }' > "$1.json"
  bytes=$(wc -c < "$1.json")
  printf "$(printf '\\%03o\\%03o\\%03o\\0\\0\\0\\0\\0' $((bytes % 256)) $((bytes / 256 % 256)) $((bytes / 65536)))" > "$1"
  cat "$1.json" >> "$1"
}
# Repeats 64 MiB of random bytes whose floats are finite: the exponent's highest bit is cleared in every fourth byte.
random_data() {  # NAME MIB
  [ -e block ] || head -c 67108864 /dev/urandom | LC_ALL=C tr '\100-\177\300-\377' '\000-\077\200-\277' > block
  for i in $(seq $(($2 / 64))); do cat block; done >> "$1"
}

seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'; }
least_of_three() {  # PREPARE COMMAND...: runs them three times
  prepare=$1
  shift
  best=
  for i in 1 2 3; do
    sh -c "$prepare"
    begin=$(date +%s.%N)
    "$@" > /dev/null 2>&1
    took=$(seconds "$begin" "$(date +%s.%N)")
    best=$(awk -v a="${best:-1e9}" -v b="$took" 'BEGIN { print a < b ? a : b }')
  done
  echo "$best"
}
peak_mib() { /usr/bin/time -f %M "$@" 2>&1 > /dev/null | tail -n 1 | awk '{ printf "%.0f", $1 / 1024 }'; }

header f32.safetensors F32 4 4096 16 && random_data f32.safetensors 1024
header bf16.safetensors BF16 2 8192 16 && random_data bf16.safetensors 1024
header f16.safetensors F16 2 8192 16 && random_data f16.safetensors 1024
header f8.safetensors F8_E4M3 1 16384 16 && random_data f8.safetensors 1024

echo 'file of 1 GiB | pruning | lnpt s | dd s | ratio'
row() {  # FILE PASSES WHAT FLAGS...
  file=$1 passes=$2 what=$3
  shift 3
  ours=$(least_of_three 'rm -rf out' "$lnpt" prune --checkpoint "$file" --out out "$@")
  reads=$(least_of_three : dd if="$file" of=/dev/null bs=8M)
  copy=$(least_of_three 'rm -f copy' dd if="$file" of=copy bs=8M conv=fdatasync)
  awk -v f="$file" -v w="$what" -v o="$ours" -v r="$reads" -v c="$copy" -v k="$passes" \
    'BEGIN { dd = (k - 1) * r + c; printf "%s | %s | %.2f | %.2f | %.2f\n", f, w, o, dd, o / dd }'
}
# Passes: as often as the file is read, the writing one included.
row f32.safetensors 3 'global 50 %' --sparsity .5
row bf16.safetensors 2 'global 50 %' --sparsity .5
row f16.safetensors 2 'global 50 %' --sparsity .5
row f8.safetensors 2 'global 50 %' --sparsity .5
row f32.safetensors 3 'layerwise 50 %' --sparsity .5 --mask layerwise
for each in bf16 f8; do row $each.safetensors 1 'rows 50 %' --sparsity .5 --mask rows; done
row f32.safetensors 1 'random 50 %' --sparsity .5 --criterion random
for each in f32 bf16 f8; do row $each.safetensors 1 '2:4' --mask 2:4; done

echo 'file | peak MiB under ulimit -v of 4 GiB'
header many.safetensors BF16 2 8192 100 && truncate -s +6710886400 many.safetensors
header single.safetensors BF16 2 655360 1 && truncate -s +5368709120 single.safetensors
for file in many single; do
  rm -rf out
  printf '\200\077' | dd of=$file.safetensors bs=1 seek=$(($(wc -c < $file.safetensors.json) + 8)) conv=notrunc 2> /dev/null  # a weight of 1
  echo "$file.safetensors, $(stat -c %s $file.safetensors) bytes | $(ulimit -v 4194304; peak_mib "$lnpt" prune --checkpoint $file.safetensors --sparsity .5 --out out)"
done
rm -rf out many.safetensors single.safetensors copy

[ -n "$python" ] || exit 0
cat > prune.py <<'END'
import sys, torch
from safetensors.torch import load_file, save_file
tensors = load_file(sys.argv[1])
threshold = torch.kthvalue(torch.cat([t.abs().flatten() for t in tensors.values()]).float(), sum(t.numel() for t in tensors.values()) // 2).values
save_file({name: torch.where(t.abs().float() > threshold, t, torch.zeros_like(t)) for name, t in tensors.items()}, sys.argv[2])
END
echo 'global 50 % of bf16.safetensors | s | peak MiB'
rm -rf out
begin=$(date +%s.%N)
memory=$(peak_mib "$lnpt" prune --checkpoint bf16.safetensors --sparsity .5 --out out)
echo "lnpt | $(seconds "$begin" "$(date +%s.%N)") | $memory"
begin=$(date +%s.%N)
memory=$(peak_mib "$python" prune.py bf16.safetensors python.safetensors)
echo "Python, safetensors and torch | $(seconds "$begin" "$(date +%s.%N)") | $memory"
