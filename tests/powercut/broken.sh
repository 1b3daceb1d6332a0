#!/usr/bin/env bash
# Builds that are broken on purpose must be caught by the power cuts, and the build that is not must pass.
#
#   tests/powercut/broken.sh [CUTS [NAME...]]
#
# Each build is a copy of this tree (committed or not) with one edit; an edit that changes nothing is an error. All of them
# get the edit `observe` too: counters are told to programs twenty times a second instead of once, so that there is more to lose.
set -euo pipefail
cd "$(dirname "$0")/../.."
cuts=${1:-500}
names=("${@:2}")
((${#names[@]})) || names=(right early normal output)
cargo=${CARGO:-cargo}
work=$PWD/target/powercut-broken
mkdir -p "$work"

# file, then an expression for `perl -0777 -pe`, which sees the file whole
observe=(src/report/json.rs 's/Json::with_progress\(out, SECOND\)/Json::with_progress(out, SECOND \/ 20)/')
often=(src/engine/drive/mod.rs 's/const PROGRESS_NS: u64 = 100_000_000;/const PROGRESS_NS: u64 = 10_000_000;/')
# counts as done what is not committed yet (places still are told afterwards, or nothing stored would be found)
early=(src/handler/commit.rs 's/(        self\.keep\(closed\)\?;\n        self\.shared\.cost_ns)/        self.reply(FromHandler::Committed { count: handled, seq: self.seq });\n$1/; s/None if is_news => self\.reply\(FromHandler::Committed \{ count: handled, seq \}\)/None if is_news => self.reply(FromHandler::Committed { count: 0, seq })/')
# the journal is not synced at each commit
normal=(src/journal/open.rs 's/PRAGMA synchronous = FULL/PRAGMA synchronous = NORMAL/')
# the output is not synced before the journal counts its rows
output=(src/output/text.rs 's/self\.file\.sync_(all|data)\(\)\?;//g')

edit() { # folder, file, expression
  local before
  before=$(sha256sum < "$1/$2")
  perl -0777 -i -pe "$3" "$1/$2"
  if [[ $(sha256sum < "$1/$2") == "$before" ]]; then
    echo "broken.sh: the edit changes nothing in $2: $3" >&2
    exit 2
  fi
}

caught=0 wanted=0
for name in "${names[@]}"; do
  tree=$work/$name
  rm -rf "$tree"
  mkdir -p "$tree"
  git ls-files --cached --others --exclude-standard -z | xargs -0 cp --parents --target-directory="$tree" 2> /dev/null || true
  edit "$tree" "${observe[@]}"
  edit "$tree" "${often[@]}"
  if [[ $name != right ]]; then
    declare -n change=$name
    edit "$tree" "${change[@]}"
  fi
  # one target folder for all: only this crate differs
  (cd "$tree" && RUSTFLAGS="${RUSTFLAGS:-}" CARGO_TARGET_DIR="$work/target" "$cargo" build --locked --release --quiet --bin mpms)
  cp "$work/target/release/mpms" "$work/mpms-$name"
  echo "== $name"
  status=0
  python3 tests/powercut/run.py --mpms "$work/mpms-$name" --cuts "$cuts" --seed "${SEED:-1}" --kept "$work/kept-$name" \
    > "$work/$name.log" 2>&1 || status=$?
  grep VIOLATION "$work/$name.log" | cut -c1-200 | head -n 3 || true
  tail -n 1 "$work/$name.log"
  wanted=$((wanted + 1))
  if [[ $name == right && $status == 0 ]]; then
    caught=$((caught + 1))
  elif [[ $name == right ]]; then
    echo "not broken, and not right: see $work/$name.log"
  elif [[ $status == 1 ]] && grep -q '^VIOLATION' "$work/$name.log"; then
    caught=$((caught + 1))
  fi
done
echo "broken.sh: $caught of $wanted builds judged rightly"
[[ $caught == "$wanted" ]]
