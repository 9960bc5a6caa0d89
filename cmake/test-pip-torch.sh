#!/usr/bin/env bash
# Builds and tests the LibTorch adapter against the torch that pip installs, in a virtual environment under build/pip-torch:
#
#   cmake/test-pip-torch.sh [VERSION]        the newest, or the one given: 2.7.0 and later have the C++ ABI that C++20 needs
#
# Takes a download of half a gigabyte, of three where the index has builds for CUDA only; PIP_INDEX_URL names another index, such as
# one with builds for the CPU. Needs neither a GPU nor a CUDA toolkit. Says so and ends with 77 where no index is reachable.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-newest}
folder=$PWD/build/pip-torch/$version
python=$folder/venv/bin/python3

# Debian's interpreter first: a virtual environment of another may lack ensurepip.
[ -x "$python" ] || for base in /usr/bin/python3 python3; do "$base" -m venv "$folder/venv" && break; done
if ! "$python" -c 'import torch' 2> /dev/null; then
  requirement=torch
  [ "$version" = newest ] || requirement=torch==$version
  if ! "$python" -m pip download --no-deps --quiet --dest "$folder/probe" typing-extensions; then
    echo "skipped: no package index is reachable from here"
    exit 77
  fi
  rm -rf "$folder/probe"
  "$python" -m pip install --quiet --no-cache-dir "$requirement"
fi
"$python" - <<'PYTHON'
import torch
print(f"torch {torch.__version__}, C++11 ABI {int(torch.compiled_with_cxx11_abi())}, built for CUDA {torch.version.cuda}, "
      f"GPUs {torch.cuda.device_count()}")
PYTHON

config=$("$python" -c 'import torch; print(torch.utils.cmake_prefix_path)')
cmake --preset torch -B "$folder/build" -DTorch_DIR="$config/Torch" -DLNPT_TORCH_PYTHON="$python" \
  -DCMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit=ON
mapfile -t targets < <(ninja -C "$folder/build" -t targets all | sed -nE 's/^((test|example)_torch[a-z_]*): phony$/\1/p')
cmake --build "$folder/build" --parallel 2 --target "${targets[@]}"
ctest --test-dir "$folder/build" --output-on-failure --no-tests=error -R '^(torch/|examples/torch)'
