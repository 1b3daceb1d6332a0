#!/usr/bin/env bash
# The whole matrix of faults, one line a case: where it strikes (keeper, worker, wire, whole run) and what it does.
# Then rounds of random kills with a printed seed, and what a durable run survives (tests/durable/README.md). An hour with the
# 200 rounds; CHAOS_ROUNDS=10 for a look.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${CHAOS_ROUNDS:-200}
for suite in keeper worker hostile; do
  echo "== $suite"
  cargo test --locked --release --test "$suite"
done
echo "== whole runs"
cargo test --locked --release --test it
echo "== chaos, $rounds rounds"
CHAOS_ROUNDS=$rounds cargo test --locked --release --test it -- --ignored --nocapture chaos
echo "== durable runs"
cargo build --locked --release
python3 tests/powercut/run.py --cuts $((rounds * 15 / 2))
python3 tests/durable/kill.py --rounds "$rounds"
python3 tests/durable/disk.py --last $((rounds * 3 / 2))
python3 tests/durable/damage.py --rounds $((rounds * 2))
