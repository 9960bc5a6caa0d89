#!/bin/bash
# One run on a machine with a GPU, in at most 8 minutes: facts, the tests that CI runs on the double, the sanitizer, the bench beside
# PyTorch, and a table. It builds nothing: bench/gpu-pack.sh made the folder that it stands in.
#
#   bash gpu-pack/gpu.sh [--here] [--train DATA [EPOCHS]]
#
# In the repository `bash bench/gpu.sh --here` packs what the preset cudnn built, into build/cudnn/gpu-pack, and goes on there.
#
# --here: on the double of CUDA's libraries, which measures nothing; of the tests those that take seconds there.
# --train: a second run instead, of LNPT's protocol by the command line, in fp32 and bf16, for at most 8 minutes each: a teacher from labels, a
# fresh network pruned to 5 % of its weights, and that student from the teacher. DATA: the folder of CIFAR-10's binary files, or `synthetic`
# for a few images.
#
# Every part has a limit of its own and a log in $OUT (gpu-out); a part that cannot run says why. LNPT_SHARED_DIR names the folder of the
# oracle, whose test skips without it.
set -uo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-gpu-out}
mkdir -p "$out"
out=$(cd "$out" && pwd)
here= data= epochs=4
[ "${1:-}" = --here ] && { here=1; shift; }
[ "${1:-}" = --train ] && { data=${2:?name the folder of CIFAR-10, or synthetic}; epochs=${3:-4}; shift; }

libraries() { # of NVIDIA, wherever pip or the toolkit put them
  local name=
  for name in libcudart.so.13 libcudnn.so.9 libcublas.so.13 libnvrtc.so.13; do
    find /usr/local/cuda*/lib64 /usr/local/lib/python3*/ "$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2> /dev/null || echo /nowhere)" \
      -name "$name" 2> /dev/null | head -n 1
  done | xargs -r -n 1 dirname | sort -u | paste -sd:
}
if [ -n "$here" ]; then
  built=$folder/../build/cudnn
  if [ ! -e "$folder/double" ] && [ -d "$built/tests/cuda_double" ]; then
    bash "$folder/gpu-pack.sh" "$built" "$built/gpu-pack" || exit
    folder=$(cd "$built/gpu-pack" && pwd)
  fi
  [ -e "$folder/double" ] || { echo "there is no double beside this script: build one by cmake --workflow --preset cudnn" >&2; exit 2; }
  LD_LIBRARY_PATH=$(cat "$folder/double"):$folder/lib
else
  LD_LIBRARY_PATH=$(libraries):$folder/lib
fi
export LD_LIBRARY_PATH

rows=()
begin=$SECONDS
part() { # NAME LIMIT COMMAND...: runs it, and says what became of it
  local name=$1 limit=$2 from=$SECONDS status=0 said=
  shift 2
  timeout -k 5 "$limit" "$@" > "$out/$name.log" 2>&1 || status=$?
  case $status in
    0) said=ok ;;
    77) said="skipped: $(grep -im 1 skip "$out/$name.log" | sed 's/.*[Ss][Kk][Ii][Pp][Pp]*[Ee]*[Dd]*: *//' | cut -c 1-110)" ;;
    124 | 137) said="out of time: $limit s" ;;
    *) said="FAILED with $status: $(tail -n 1 "$out/$name.log" | cut -c 1-110)" ;;
  esac
  rows+=("$(printf '%-24s %4d s  %s' "$name" $((SECONDS - from)) "$said")")
  echo "${rows[-1]}"
}
only_on_gpu() { # a reason not to run here, as a part
  [ -z "$here" ] || { echo "skipped: $1"; return 77; }
}

facts() {
  only_on_gpu "there is no GPU to ask" || return 77
  uname -r
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,compute_cap --format=csv
  ldd "$folder/test_backend_cudnn_step" | grep -E 'cud|cublas|nvrtc'
}
sanitize() { # TOOL
  only_on_gpu "compute-sanitizer watches GPUs" || return 77
  command -v compute-sanitizer > /dev/null || { echo "skipped: compute-sanitizer is not installed"; return 77; }
  # The conformance suite's small networks: every kernel on a few elements.
  compute-sanitizer --tool "$1" --error-exitcode 9 "$folder/test_backend_cudnn_conformance" && return 0
  status=$?
  grep -q 'Device not supported' "$out/sanitizer_$1.log" && { echo "skipped: the sanitizer refuses this device"; return 77; }
  return $status
}
lnpt_bench() { # FILE
  [ -x "$folder/bench_cudnn_engine" ] || { echo "skipped: the bench was not packed"; return 77; }
  local filter='^(forward_backward|train_step|score|synflow|ceiling|select|copy)'
  [ -n "$here" ] && filter='^small/'
  "$folder/bench_cudnn_engine" --benchmark_filter="$filter" --benchmark_out_format=json --benchmark_out="$out/$1.json"
}
torch_bench() { # FILE
  only_on_gpu "PyTorch is measured on the same card" || return 77
  python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null || { echo "skipped: no PyTorch that sees the GPU"; return 77; }
  python3 "$folder/torch_eager.py" "$out/$1.json" "$2"
}
train() { # NAME ARCHITECTURE PRECISION
  [ -x "$folder/lnpt" ] || { echo "skipped: the command line was not packed"; return 77; }
  local net=$out/$1 images="--data cifar10:$data --epochs $epochs"
  [ "$data" = synthetic ] && images="--data synthetic --train-limit 32 --test-limit 10 --batch 16 --epochs 1"
  local sample=(--data cifar10:"$data")
  [ "$data" = synthetic ] && sample=(--data synthetic --train-limit 32 --test-limit 10 --samples 4)
  local engine=(--arch "$2" --engine cudnn --precision "$3")
  # shellcheck disable=SC2086 # flags
  "$folder/lnpt" train "${engine[@]}" $images --out "$net.teacher" &&
    "$folder/lnpt" prune "${engine[@]}" "${sample[@]}" --teacher "$net.teacher" --criterion lnpt --sparsity .95 \
      --out "$net.pruned" --masks-out "$net.masks" &&
    "$folder/lnpt" train "${engine[@]}" $images --teacher "$net.teacher" --init "$net.pruned" --mask "$net.masks" --out "$net.student"
}
summary() { # what became of the parts; fails if one of them did
  printf '%s\n' "---- $((SECONDS - begin)) s" "${rows[@]}" | tee "$out/summary.txt"
  ! printf '%s\n' "${rows[@]}" | grep -qE 'FAILED|out of time'
}
table() {
  python3 "$folder/torch_eager.py" --table "$out"
}
export -f facts sanitize lnpt_bench torch_bench train table only_on_gpu
export here folder out data epochs

if [ -n "$data" ]; then
  networks="vgg19=vgg:19 resnet32=resnet:32:32,64,128"
  [ "$data" = synthetic ] && networks="resnet8=resnet:8:4,4,4"
  for network in $networks; do
    for precision in float bf16; do
      part "train_${network%%=*}_$precision" 480 bash -c "train ${network%%=*}_$precision ${network#*=} $precision"
      grep accuracy "$out/train_${network%%=*}_$precision.log"
    done
  done
  summary
  exit
fi

part facts 20 bash -c facts
export LNPT_DEVICE_JSON=$out/device.json # the device as cuDNN reads it, by test_plans
tests="kernels plans double precision step selection training equality conformance oracle"
[ -n "$here" ] && tests="kernels plans double precision step selection training"
for test in $tests; do
  [ -x "$folder/test_backend_cudnn_$test" ] && part "test_$test" 60 "$folder/test_backend_cudnn_$test"
done
for tool in memcheck racecheck initcheck; do part "sanitizer_$tool" 45 bash -c "sanitize $tool"; done
# Ours and PyTorch's in turn, each twice: the spread is part of the table.
for turn in 1 2; do
  part "bench_lnpt_$turn" 60 bash -c "lnpt_bench lnpt_$turn"
  part "bench_torch_$turn" 60 bash -c "torch_bench torch_$turn 50"
done
part table 20 bash -c table
cat "$out/table.log"
summary
