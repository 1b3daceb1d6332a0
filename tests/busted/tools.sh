#!/bin/sh
# busted, to which tests/it/specs.rs compares `mpms test`. Installs it where it may (as root, with apt-get); else says what
# to do.
command -v busted >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && apt-get install -q -y --no-install-recommends lua-busted; } >&2 && exit 0
fi
echo "tests/it/specs.rs needs busted: run as root: apt-get install lua-busted" >&2
exit 1
