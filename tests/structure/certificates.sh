#!/usr/bin/env bash
# Shrinks networks by every criterion at several fractions of their channels and holds each certificate to its bar: 1e-12 of the largest
# logit in double, 1e-5 in float. Prints one line for each network, precision and criterion.
# With MODULES=build/torch/tests/test_torch_module_certificates the library's networks are shrunk as modules of LibTorch, by the same masks.
#
#   tests/structure/certificates.sh LNPT [SEED ...]        LNPT: the command line, such as build/test/lnpt
#
# About ten minutes of a core for one seed. NETWORKS, CRITERIA, FRACTIONS and PRECISIONS narrow it down.
set -euo pipefail
lnpt=${1:?name the command line, such as build/test/lnpt}
shift
seeds=("${@:-1}")
here=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

exported=$here/io/exported
read -ra networks <<< "${NETWORKS:-resnet:56:16,32,64:a vgg:16:64 mobilenet:32 $exported/branches.pt2 $exported/joins.pt2}"
read -ra criteria <<< "${CRITERIA:-magnitude random snip taylor grasp obd synflow feature_map_synaptic movement fisher filter_norm bn_scale}"
read -ra fractions <<< "${FRACTIONS:-0.3 0.5 0.7 0.9}"
read -ra precisions <<< "${PRECISIONS:-double float}"
failed=0 runs=0 refused=0

# Starts the program that traces one network as a module and shrinks it by each pair of files that it is sent.
start_module() {
  [[ -z ${MODULES:-} ]] && return
  coproc MODULE { LNPT_MODULE_ARCH=$network LNPT_MODULE_PRECISION=$precision exec "$MODULES"; }
  module=$MODULE_PID
  local in=${MODULE[0]} out=${MODULE[1]}
  exec {to_module}>&"$out" {from_module}<&"$in" {out}>&- {in}<&-
}
stop_module() {
  [[ -z ${MODULES:-} ]] && return
  exec {to_module}>&-
  cat <&"$from_module" > /dev/null
  exec {from_module}<&-
  wait "$module" || true  # a difference that is too large was reported
}

# Sets `relative` to the certificate of one run of `lnpt prune`; fails where it, or the shrinking of the module, is refused.
certificate() {
  if [[ -z ${MODULES:-} ]]; then
    "$lnpt" prune "$@" --shrink > "$scratch/report" 2> "$scratch/complaint" || return 1
    relative=$(sed -n 's/.*"relative": *\([0-9.e+-]*\).*/\1/p' "$scratch/report")
    return
  fi
  "$lnpt" prune "$@" --masks-out "$scratch/masks.safetensors" > /dev/null 2> "$scratch/complaint" || return 1
  echo "$scratch/small.safetensors $scratch/masks.safetensors" >&"$to_module"
  local said=
  until [[ $said == certificate\ * || $said == refused:* ]]; do
    read -r said <&"$from_module" || said="refused: the module's program ended"
  done
  relative=$(sed -n 's/^certificate \([0-9.e+-]*\),.*/\1/p' <<< "$said")
  [[ -n $relative ]] || { echo "$said" > "$scratch/complaint"; return 1; }
}

# Shrinks one network by one criterion at every fraction, under weights and masks of every seed.
sweep() {
  local worst=0 bar=1e-12 teacher=() relative fraction seed
  [[ $precision == float ]] && bar=1e-5
  [[ $criterion == feature_map_synaptic ]] && teacher=(--teacher-arch "$guide" --teacher "$scratch/teacher.safetensors")
  for fraction in "${fractions[@]}"; do
    for seed in "${seeds[@]}"; do
      local which="$network $criterion $precision $fraction seed $seed"
      if ! certificate --arch "$network" --criterion "$criterion" --mask channels --budget "channels:$fraction" --json \
        --precision "$precision" --seed "$seed" --rounds 1 --out "$scratch/small.safetensors" "${data[@]}" "${teacher[@]}"; then
        refused=$((refused + 1))
        echo "$which: $(tail -1 "$scratch/complaint")"
        continue
      fi
      runs=$((runs + 1))
      if ! awk -v a="$relative" -v b="$bar" 'BEGIN { exit !(a <= b) }'; then
        failed=$((failed + 1))
        echo "$which: certificate $relative above $bar"
      fi
      worst=$(awk -v a="$relative" -v b="$worst" 'BEGIN { print (a > b ? a : b) }')
    done
  done
  echo "$network $precision $criterion: largest difference $worst"
}

# Networks read images with labels, and a teacher of other weights where the criterion asks for one: of their own architecture, or any that
# has as many features. joins.pt2 reads small images of its own and is shrunk by the criteria without data.
for network in "${networks[@]}"; do
  data=(--data synthetic --samples 8)
  asked=("${criteria[@]}")
  guide=$network
  [[ $network == *branches.pt2 ]] && guide=resnet:8:8,16,32
  if [[ $network == *joins.pt2 ]]; then
    data=()
    asked=(magnitude random synflow filter_norm bn_scale)
  else
    "$lnpt" prune --arch "$guide" --criterion random --sparsity 0 --seed 99 --out "$scratch/teacher.safetensors" > /dev/null
  fi
  for precision in "${precisions[@]}"; do
    start_module
    for criterion in "${asked[@]}"; do sweep; done
    stop_module
  done
done
echo "$runs certificates, $failed above their bars, $refused runs refused"
[[ $failed == 0 ]]
