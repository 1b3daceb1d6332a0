#!/bin/sh
# The programs that the tests of mpms.sqlite, mpms.compress and mpms.archive compare with. Installs what is missing where it
# may (as root, with apt-get); else says what to do. The tests call it themselves.
set -u
missing=
for pair in sqlite3:sqlite3 gzip:gzip zstd:zstd brotli:brotli tar:tar zip:zip unzip:unzip python3:python3; do
  command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && apt-get install -q -y --no-install-recommends $missing; } >&2 && exit 0
fi
echo "the library's tests need programs that are not installed: run as root: apt-get install$missing" >&2
exit 1
