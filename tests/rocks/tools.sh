#!/bin/sh
# Penlight, the rock whose modules are loaded: from the distribution, which has it as plain Lua. Installs it where it may
# (as root, with apt-get); else says what to do. The test calls it itself.
set -u
[ -f /usr/share/lua/5.4/pl/init.lua ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && apt-get install -q -y --no-install-recommends lua-penlight; } >&2 && exit 0
fi
echo "tests/rocks needs Penlight: run as root: apt-get install lua-penlight" >&2
exit 1
