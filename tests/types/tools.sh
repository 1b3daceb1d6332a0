#!/bin/sh
# luacheck, with which tests/it/types.rs reads scripts. Installs it where it may (as root, with apt-get); else says what to do.
command -v luacheck >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && apt-get install -q -y --no-install-recommends lua-check; } >&2 && exit 0
fi
echo "tests/it/types.rs needs luacheck: run as root: apt-get install lua-check" >&2
exit 1
