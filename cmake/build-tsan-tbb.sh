#!/usr/bin/env bash
# Builds an instrumented oneTBB from Debian's source package into build/tsan-tbb: half a minute. Debian's own library is not
# instrumented, and the thread sanitizer floods with reports from it. Does nothing where it was built before.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=$PWD/build/tsan-tbb
[ ! -e "$prefix/lib/cmake/TBB/TBBConfig.cmake" ] || exit 0

# The source package, from a list of its own so that the system's lists stay as they are.
work=$prefix/work
rm -rf "$work"
mkdir -p "$work/lists/partial"
. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" "Identifier: Packages" | head -n 1)
echo "deb-src ${mirror:-http://deb.debian.org/debian} $VERSION_CODENAME main" > "$work/sources.list"
apt_source=(apt-get -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists"
  -o APT::Sandbox::User=root)
"${apt_source[@]}" update
(cd "$work" && "${apt_source[@]}" source --only-source onetbb)

cmake -G Ninja -S "$work"/onetbb-*/ -B "$work/build" -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_C_COMPILER=clang-19 \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTBB_SANITIZE=thread -DTBB_TEST=OFF -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF \
  -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib
cmake --build "$work/build" --parallel 2
cmake --install "$work/build"
rm -rf "$work"
