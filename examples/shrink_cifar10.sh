#!/bin/sh
# Half of a ResNet-20's multiply-adds go, on CIFAR-10: dense, masked, shrunk, recalibrated, trained without labels, in one table.
#
#   examples/shrink_cifar10.sh cifar-10-batches-bin [FOLDER]
#
# LNPT names the command line (build/demo/lnpt), EPOCHS the dense network's epochs with labels, MORE those without. Some CPU minutes.
set -eu
images=${1:?the folder with the binary CIFAR-10 files} folder=${2:-runs/shrink}
lnpt=${LNPT:-build/demo/lnpt} arch=resnet:20:16,32,64:a
data="--data cifar10:$images --train-limit 12800 --test-limit 2000"
mkdir -p "$folder"
at() { printf '%s/%s' "$folder" "$1"; }
dense=$(at dense.safetensors) masked=$(at masked.safetensors) small=$(at small.safetensors)
settled=$(at settled.safetensors) trained=$(at trained.safetensors)

# shellcheck disable=SC2086 # the flags of $data are words
{
  "$lnpt" train --arch $arch $data --epochs "${EPOCHS:-3}" --out "$dense"
  prune="$lnpt prune --arch $arch --weights $dense $data --samples 500 --criterion snip --mask channels --budget flops:.5 --round"
  $prune --out "$masked"
  $prune --shrink --out "$small"
  $prune --shrink --recalibrate --out "$settled" --onnx "$(at settled.onnx)"
  "$lnpt" train --arch "$(at settled.json)" --init "$settled" --teacher "$dense" --teacher-arch $arch $data \
    --epochs "${MORE:-2}" --lr .02 --alpha 0 --out "$trained"
} >"$(at log)" 2>&1

top_level() { sed -n "s/^  \"$1\": \([0-9]*\).*/\1/p"; }
row() { # what, network, weights, what inspect counts
  result=$("$lnpt" evaluate --arch "$2" --weights "$3" $data --latency --threads 1 --json)
  number() { printf '%s' "$result" | sed -n "s/.*\"$1\": \([0-9.e-]*\).*/\1/p"; }
  counts=$("$lnpt" inspect "$4" --json)
  printf '%s|%s|%s|%s|%s|%s\n' "$1" "$(number accuracy)" "$(printf '%s' "$counts" | top_level weights)" \
    "$(printf '%s' "$counts" | top_level multiply_adds)" "$(number one)" "$(number batch_of_32)" |
    awk -F'|' '{ printf "| %s | %.1f | %d | %.1f | %.2f | %.1f |\n", $1, 100 * $2, $3, $4 / 1e6, $5, $6 }'
}
echo '| | accuracy % | parameters | multiply-adds, M | ms for one image | ms for 32 |'
echo '|---|---|---|---|---|---|'
row 'dense, with labels' $arch "$dense" $arch
row 'masked' $arch "$masked" $arch
row 'shrunk' "$(at small.json)" "$small" "$small"
row 'batch norm recalibrated' "$(at settled.json)" "$settled" "$settled"
row 'trained without labels' "$(at settled.json)" "$trained" "$settled"
"$lnpt" inspect "$settled" | sed -n '/^left whole/p'
