#!/bin/bash
# Packs what bench/gpu.sh needs on a machine with a GPU, where nothing is built: the test programs that CI runs on the double, the bench, the
# command line, and the libraries that machine may lack (NVIDIA's come from there).
#
#   bench/gpu-pack.sh BUILD [FOLDER]        BUILD: a tree of the preset cudnn, configured with -DLNPT_BUILD_BENCHMARKS=ON
set -euo pipefail
build=${1:?name the build tree}
folder=${2:-gpu-pack}
mkdir -p "$folder/lib"
here=$(dirname "$0")
for program in "$build"/tests/test_backend_cudnn_* "$build"/bench/bench_cudnn_engine "$build"/lnpt; do
  [ -x "$program" ] || continue
  strip -o "$folder/$(basename "$program")" "$program"
done
for program in "$folder"/*; do
  if [ -f "$program" ]; then ldd "$program" 2> /dev/null || true; fi # scripts of an earlier packing are no programs
done | awk '/lib(tbb|fmt|z|minizip)[.-]/ && $3 ~ /^\// { print $3 }' | sort -u | xargs -r cp -L -t "$folder/lib"
cp "$here/gpu.sh" "$here/torch_eager.py" "$folder"
[ -d "$build/tests/cuda_double/cuda_double" ] && printf '%s\n' "$(realpath "$build/tests/cuda_double/cuda_double")" > "$folder/double"
du -sh "$folder" | sed 's/\t/ in /'
