#!/bin/sh
# Unpacks Debian packages of any suite and architecture into a folder, without installing them:
#
#   cmake/unpack-debian.sh bookworm arm64 build/sysroot libtbb-dev
#
# apt keeps its state in the folder too, so that neither the system's packages nor its architectures change. With a package come
# those that it needs at exactly its own version, as a library's headers need the library: their names differ between suites.
# What else it depends on is named beside it. A second run with the same arguments does nothing.
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
  tool=$1
  shift
  "apt-$tool" -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root \
    -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" "$@"
}
needed_at_one_version() {
  apt cache show --no-all-versions "$@" | sed -n 's/^Depends: //p' | tr ',' '\n' | sed -n 's/^ *\([^ :]*\)[^ ]* (= .*/\1/p'
}
apt get update
printf '%s\n' "$@" | sort -u > "$state/more"
: > "$state/named"
while [ -s "$state/more" ]; do
  sort -o "$state/named" "$state/named" "$state/more"
  needed_at_one_version $(cat "$state/more") | sort -u | comm -13 "$state/named" - > "$state/next"
  mv "$state/next" "$state/more"
done
(cd "$state/cache" && apt get download $(cat "$state/named"))
for package in "$state"/cache/*.deb; do dpkg -x "$package" "$folder"; done
rm -rf "$state"
echo "$asked" > "$stamp"
