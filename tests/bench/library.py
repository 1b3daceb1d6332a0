#!/usr/bin/env python3
"""Runs each pair in library/ (`mpms lua TOPIC.lua`, `python3 TOPIC.py`) and prints one table.

Both do the same work on the same data and print a line `NAME seconds` for each piece, the best of several times. They run
in turns, so that a slow moment of the machine hits both; of all runs the best counts."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "library"
ROOT = HERE.parents[2]


def main():
    topics = sorted(file.stem for file in HERE.glob("*.lua"))
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--only", action="append", choices=topics, help="only this topic; can be given several times")
    arguments.add_argument("--runs", type=int, default=5, help="how often each file runs (5)")
    arguments.add_argument("--mpms", type=Path, help="this binary, instead of a release build")
    arguments.add_argument("--python", default=sys.executable, help="this interpreter, instead of the one that runs this")
    given = arguments.parse_args()
    if not given.mpms:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    mpms = (given.mpms or ROOT / "target/release/mpms").resolve()
    print("| piece | mpms s | python s | ratio |")
    print("|---|--:|--:|--:|", flush=True)
    wrong = False
    for topic in given.only or topics:
        wrong = not measure(topic, [str(mpms), "lua"], [given.python], given.runs) or wrong
    sys.exit(1 if wrong else 0)


def measure(topic, mpms, python, runs):
    """Whether all pieces were there on both sides."""
    ours, theirs = {}, {}
    with tempfile.TemporaryDirectory(prefix="mpms-library-") as folder:
        for _ in range(runs):
            best(ours, [*mpms, str(HERE / f"{topic}.lua")], folder)
            best(theirs, [*python, str(HERE / f"{topic}.py")], folder)
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        mine, other = ours.get(name), theirs.get(name)
        cells = [f"{seconds:.4f}" if seconds is not None else "–" for seconds in (mine, other)]
        ratio = f"{mine / other:.2f}" if mine is not None and other else "–"
        print(f"| {topic}: {name} | {cells[0]} | {cells[1]} | {ratio} |", flush=True)
    missing = sorted(set(ours) ^ set(theirs))
    if missing:
        print(f"{topic}: only on one side: {', '.join(missing)}", file=sys.stderr)
    return not missing and bool(ours)


def best(times, command, folder):
    """Runs the file in an empty folder and keeps the least time of each piece."""
    environment = {**os.environ, "TMPDIR": folder, "BENCH_DIR": folder}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    for line in done.stdout.splitlines():
        name, _, seconds = line.rpartition(" ")
        try:
            times[name] = min(times.get(name, float("inf")), float(seconds))
        except ValueError:
            sys.exit(f"{' '.join(command)} printed `{line}` instead of `NAME seconds`")


if __name__ == "__main__":
    main()
