#!/bin/sh
# Which criterion keeps the weights that train best? lnpt compare over many cells, the ones that decide first.
#
#   examples/study.sh cifar10:cifar-10-batches-bin [FOLDER]
#
# It says at most how long it will take, then runs unattended. Run it again to go on after an interruption, or with more cells: SEEDS,
# SPARSITIES, ARCHS, CRITERIA and EXTRA (further flags of lnpt compare) name them, GRID=full is the whole grid. LNPT names the command line
# (build/demo/lnpt). Tables come at the end, and at any time from the lnpt compare that is printed for each network.
set -eu
data=${1:?a data set, such as cifar10:FOLDER} folder=${2:-runs/study}
lnpt=${LNPT:-build/demo/lnpt}
losses='snip:loss=distillation snip:loss=distillation:layer-floor=.1 snip:loss=pseudo_label snip:loss=total snip:loss=feature_gap'
steady=fisher:loss=distillation:layer-floor=.1 # whose mask changes least with the images that are scored on
labelled='snip grasp'
paper='feature_map_synaptic feature_map_synaptic:rounds=10'
if [ "${GRID:-small}" = full ]; then
  : "${SPARSITIES:=.98 .99 .95 .9}" "${ARCHS:=resnet:20:16,32,64 resnet:32:32,64,128 vgg:16:32}" "${SEEDS:=3}"
  : "${CRITERIA:=teacher_guided $labelled $losses $steady $paper teacher_guided:rounds=10 snip:rounds=10 grasp:loss=pseudo_label obd:loss=feature_gap
      taylor fisher movement synflow magnitude random}"
else
  : "${SPARSITIES:=.98 .99}" "${ARCHS:=resnet:20:16,32,64}" "${SEEDS:=5}"
  : "${CRITERIA:=teacher_guided $labelled $losses $steady feature_map_synaptic:rounds=10 synflow random}"
fi
limits=${LIMITS:---train-limit 12800 --test-limit 2000} teacher_epochs=${TEACHER_EPOCHS:-8} epochs=${EPOCHS:-4}
words() { echo $#; }
listed() { echo "$*" | tr ' ' ','; }
# shellcheck disable=SC2086 # criteria are words
criteria=$(listed $CRITERIA)
mkdir -p "$folder"

place() { printf '%s/%s' "$folder" "$(echo "$1" | tr ':,' '--')"; }
# shellcheck disable=SC2086 # limits and further flags are words
compare() { # network, sparsities, first seed, how many
  "$lnpt" compare --data "$data" $limits --arch "$1" --sparsities "$2" --seed "$3" --seeds "$4" --teacher-epochs "$teacher_epochs" \
    --epochs "$epochs" --sample-by label --criteria "$criteria" --out "$(place "$1")" ${EXTRA:-}
}

# Each network's dense epoch, timed once; a student's is no longer, so that all of them together are an upper bound.
total=0
for arch in $ARCHS; do
  timed=$(place "$arch").seconds-of-an-epoch
  if [ ! -s "$timed" ]; then
    begin=$(date +%s)
    # shellcheck disable=SC2086
    "$lnpt" train --arch "$arch" --data "$data" $limits --epochs 1 --out "$folder/timing.safetensors" >/dev/null 2>&1
    echo $(($(date +%s) - begin)) >"$timed"
    rm -f "$folder"/timing.safetensors*
  fi
  # shellcheck disable=SC2086
  students=$(($(words $CRITERIA) * $(words $SPARSITIES)))
  total=$((total + SEEDS * $(cat "$timed") * (teacher_epochs + students * epochs)))
done
awk -v s=$total 'BEGIN { printf "at most %.1f hours, what is done already included\n", s / 3600 }'

for arch in $ARCHS; do
  for sparsity in $SPARSITIES; do
    seed=0
    while [ $seed -lt "$SEEDS" ]; do
      compare "$arch" "$sparsity" $seed 1 >/dev/null
      seed=$((seed + 1))
    done
  done
done
for arch in $ARCHS; do
  echo "$arch"
  # shellcheck disable=SC2086
  compare "$arch" "$(listed $SPARSITIES)" 0 "$SEEDS"
done
