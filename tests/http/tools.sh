#!/bin/sh
# The programs that tests/http talks to. Installs what is missing where it may (as root, with apt-get); else says what to
# do. The tests call it themselves.
set -u
export PATH="$PATH:/usr/sbin:/sbin"
missing=
for pair in nginx:nginx-light tinyproxy:tinyproxy microsocks:microsocks openssl:openssl; do
  command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && RUNLEVEL=1 apt-get install -q -y --no-install-recommends $missing; } >&2 && exit 0
fi
echo "tests/http needs programs that are not installed: run as root: apt-get install$missing" >&2
exit 1
