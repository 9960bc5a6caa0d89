#!/bin/sh
# Unpacks Debian packages of any suite and architecture into a folder, without installing them:
#
#   cmake/unpack-debian.sh bookworm arm64 build/sysroot libtbb-dev libtbb12
#
# apt keeps its state in the folder too, so that neither the system's packages nor its architectures change. Packages are taken
# by name alone: what they depend on is named beside them. A second run with the same arguments does nothing.
set -eu
suite=$1 architecture=$2 folder=$3
shift 3
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
stamp="$folder/.unpacked"
asked="$suite $architecture $*"
[ "$(cat "$stamp" 2>/dev/null)" != "$asked" ] || exit 0

state="$folder/.apt"
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
: > "$state/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" > "$state/sources.list"
apt() {
  apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root \
    -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" "$@"
}
apt update
(cd "$state/cache" && apt download "$@")
for package in "$state"/cache/*.deb; do dpkg -x "$package" "$folder"; done
rm -rf "$state"
echo "$asked" > "$stamp"
