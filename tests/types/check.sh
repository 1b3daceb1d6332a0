#!/bin/sh
# Scripts, specs, examples and types as an editor sees them: EmmyLua's analyzer, which reads the annotations of LuaLS,
# with the settings that `mpms types` writes, and as the linter selene does. The first call builds both: fifteen minutes.
#
#   tests/types/check.sh [FOLDER]     target/types-check unless a folder is named; MPMS names another program
set -eu
cd "$(dirname "$0")/../.."
work=${1:-target/types-check}
mpms=${MPMS:-target/debug/mpms}
version=0.25.1
mkdir -p "$work"
work=$(cd "$work" && pwd)
[ -n "${MPMS:-}" ] || cargo build --quiet
case $mpms in */*) mpms=$(cd "$(dirname "$mpms")" && pwd)/$(basename "$mpms") ;; esac

CARGO_TARGET_DIR="$work/build" cargo install --quiet --locked --root "$work/tools" emmylua_check --version "$version"

# Its list of libraries says Lua 5.2 and 5.3, which its own package leaves out.
CARGO_TARGET_DIR="$work/build" cargo install --quiet --locked --root "$work/tools" selene --version 0.31.0 \
  --no-default-features --features selene-lib/lua52,selene-lib/lua53,selene-lib/lua54

# A project as a user has it, with the scripts, their specs, and the files of the README.
project=$work/project
rm -rf "$project"
mkdir -p "$project/tests" "$project/readme"
cp -r scripts "$project/scripts"
cp -r tests/lua "$project/tests/lua"
awk -v to="$project/readme/" '
  /^```lua [^ ]+$/ { file = to $2; next }
  /^```/ { if (file) close(file); file = ""; next }
  file { print > file }
' README.md
(cd "$project" && "$mpms" types . 2>/dev/null)

# The types themselves: without `@meta` their own names are looked at too.
types=$work/types
rm -rf "$types"
mkdir -p "$types"
for file in src/lua/types/*.lua; do
  sed '/^---@meta/d' "$file" > "$types/$(basename "$file")"
done

bad=0
echo "== scripts, specs and files of the README"
"$work/tools/bin/emmylua_check" "$project" --warnings-as-errors || bad=1
(cd "$project" && "$work/tools/bin/selene" --allow-warnings scripts readme tests) || bad=1
echo "== types"
"$work/tools/bin/emmylua_check" "$types" --output-format json --output "$work/types.json" 2>/dev/null || true
python3 - "$work/types.json" <<'END' || bad=1
import json, os, sys

# What it says of bodies, which types do not have, is of no interest.
CODES = ("type-not-found", "doc-syntax-error", "annotation-usage-error", "duplicate-doc-field", "duplicate-type")
# Names that LuaLS knows, and it does not.
KNOWN = {("http.lua", "Type 'file*' not found"), ("sqlite.lua", "expect field name or '[', but get TkDocReadonly")}
found = 0
for file in json.load(open(sys.argv[1])):
    name = os.path.basename(file["file"])
    for one in file["diagnostics"]:
        if one["code"] in CODES and (name, one["message"].strip()) not in KNOWN:
            # the line of `@meta` is gone
            print(f"{name}:{one['range']['start']['line'] + 2}: {one['message']} [{one['code']}]")
            found += 1
print(f"{found} issues" if found else "No issues found")
sys.exit(found > 0)
END
exit $bad
