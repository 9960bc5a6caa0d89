#!/usr/bin/env bash
# Shrinks networks by every criterion at several fractions of their channels and holds each certificate to its bar: 1e-12 of the largest
# logit in double, 1e-5 in float. Prints one line for each network and criterion.
# With MODULES=build/torch/tests/test_torch_module_certificates the library's networks are shrunk as modules of LibTorch, by the same masks.
#
#   tests/structure/certificates.sh LNPT [SEED ...]        LNPT: the command line, such as build/test/tools/lnpt/lnpt
#
# About ten minutes of a core for one seed. NETWORKS, CRITERIA, FRACTIONS and PRECISIONS narrow it down.
set -euo pipefail
lnpt=${1:?name the command line, such as build/test/tools/lnpt/lnpt}
shift
here=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

exported=$here/io/exported/joins.pt2
read -ra networks <<< "${NETWORKS:-resnet:56:16,32,64:a vgg:16:64 mobilenet:32 $([[ -n ${MODULES:-} ]] || echo "$exported")}"
read -ra criteria <<< "${CRITERIA:-magnitude random snip taylor grasp obd synflow feature_map_synaptic movement fisher filter_norm bn_scale}"
read -ra fractions <<< "${FRACTIONS:-0.3 0.5 0.7 0.9}"
read -ra precisions <<< "${PRECISIONS:-double float}"

# Networks of the library read images with labels, and a teacher of other fresh weights where the criterion asks for one. The exported one
# reads small images of its own and is shrunk by the criteria without data.
failed=0 runs=0 refused=0

# Prints the certificate of one run of `lnpt prune`; fails where it, or the shrinking of the module, is refused.
certificate() {
  if [[ -z ${MODULES:-} ]]; then
    "$lnpt" prune "$@" --shrink | sed -n 's/.*"relative": *\([0-9.e+-]*\).*/\1/p'
    return
  fi
  "$lnpt" prune "$@" --masks-out "$scratch/masks.safetensors" > "$scratch/pruned" || return 1
  LNPT_MODULE_ARCH=$network LNPT_MODULE_PRECISION=$precision LNPT_MODULE_WEIGHTS=$scratch/small.safetensors \
    LNPT_MODULE_MASKS=$scratch/masks.safetensors "$MODULES" > "$scratch/module" || true  # a difference that is too large has its line
  sed -n 's/^certificate \([0-9.e+-]*\),.*/\1/p' "$scratch/module" | grep . || { grep ERROR: "$scratch/module" >&2; return 1; }
}

for network in "${networks[@]}"; do
  data=(--data synthetic --samples 8)
  asked=("${criteria[@]}")
  if [[ $network == *.pt2 ]]; then
    data=()
    asked=(magnitude random synflow filter_norm bn_scale)
  else
    "$lnpt" prune --arch "$network" --criterion random --sparsity 0 --seed 99 --out "$scratch/teacher.safetensors" > /dev/null
  fi
  for criterion in "${asked[@]}"; do
    teacher=()
    [[ $criterion == feature_map_synaptic ]] && teacher=(--teacher "$scratch/teacher.safetensors")
    worst_double=0 worst_float=0
    for precision in "${precisions[@]}"; do
      for fraction in "${fractions[@]}"; do
        for seed in "${@:-1}"; do
          flags=(--arch "$network" --criterion "$criterion" --mask channels --budget "channels:$fraction" --json
                 --precision "$precision" --seed "$seed" --rounds 1 --out "$scratch/small.safetensors" "${data[@]}" "${teacher[@]}")
          if ! certificate "${flags[@]}" > "$scratch/report" 2> "$scratch/complaint"; then
            refused=$((refused + 1))
            echo "$network $criterion $precision $fraction seed $seed: $(tail -1 "$scratch/complaint")"
            continue
          fi
          runs=$((runs + 1))
          relative=$(cat "$scratch/report")
          bar=1e-12
          [[ $precision == float ]] && bar=1e-5
          if ! awk -v a="$relative" -v b="$bar" 'BEGIN { exit !(a <= b) }'; then
            failed=$((failed + 1))
            echo "$network $criterion $precision $fraction seed $seed: certificate $relative above $bar"
          fi
          worst=worst_$precision
          printf -v "$worst" '%s' "$(awk -v a="$relative" -v b="${!worst}" 'BEGIN { print (a > b ? a : b) }')"
        done
      done
    done
    echo "$network $criterion: largest difference $worst_double in double, $worst_float in float"
  done
done
echo "$runs certificates, $failed above their bars, $refused runs refused"
[[ $failed == 0 ]]
