#!/bin/sh
# Sees that a program is there which a test calls: tests/tool.sh COMMAND PACKAGE. Installs it where it may (as root, with
# apt-get), one at a time, since apt-get does not wait for another one; else says what to do.
command -v "$1" >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  exec 9<"$0"
  flock 9
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && apt-get install -q -y --no-install-recommends "$2"; } >&2 && exit 0
fi
echo "the tests need $1: run as root: apt-get install $2" >&2
exit 1
