#!/bin/sh
# strace, by which tests/it/library.rs sees the calls of the program. Installs it where it may (as root, with apt-get);
# else says what to do.
command -v strace >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && apt-get install -q -y --no-install-recommends strace; } >&2 && exit 0
fi
echo "tests/it/library.rs needs strace: run as root: apt-get install strace" >&2
exit 1
