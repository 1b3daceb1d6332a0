#!/usr/bin/env python3
"""Runs mpms and its peers on the same work and prints one table (see README.md)."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import memory
import nginx
import pages
from cases import Suite, setup
from measure import median_of

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ["integers", "journal", "records", "strings", "commands", "one", "http", "delayed", "html", "select", "memory"]
TITLES = {
    "integers": "no-op integers",
    "journal": "durable runs",
    "records": "tables of 5 fields",
    "strings": "16 KiB strings",
    "commands": "running `true`",
    "one": "one task, start to end",
    "http": "pages of 10 KiB",
    "delayed": "the same, each after 100 ms",
    "html": "pages of 20 to 170 KB, parsed and selected on",
    "select": "the selecting alone",
    "memory": "memory of a job that sleeps",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the tasks, one run of each")
    arguments.add_argument("--only", action="append", choices=GROUPS, help="only this part; can be given several times")
    arguments.add_argument("--runs", type=int, default=0, help="runs of which the median is taken (3; 1 with --quick)")
    arguments.add_argument("--no-peers", action="store_true", help="mpms alone")
    arguments.add_argument("--mpms", type=Path, help="this binary, instead of a release build")
    given = arguments.parse_args()
    runs = given.runs or (1 if given.quick else 3)
    if not given.mpms:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    if not given.no_peers:
        setup()
    suite = Suite(given.mpms or ROOT / "target/release/mpms", given.quick)
    print("| work | tool | tasks | tasks/s | CPU µs a task | memory MB | mpms is × faster | target |")
    print("|---|---|--:|--:|--:|--:|--:|---|", flush=True)
    begin = time.monotonic()
    for group in given.only or GROUPS:
        if group == "memory":
            show_memory(suite)
        elif group in ("html", "select"):
            with pages.folder() as folder:
                show(group, suite.html(folder, group == "html"), runs, given.no_peers)
        elif group in ("http", "delayed"):
            with nginx.page() as url:
                if not url or group == "delayed" and not nginx.ECHO.exists():
                    print(f"nginx, or its echo module, is not installed: no {TITLES[group]}", file=sys.stderr)
                elif group == "http":
                    show(group, suite.http(url), runs, given.no_peers)
                else:
                    show(group, suite.delayed(url.replace("/page", "/delayed")), runs, given.no_peers)
        else:
            show(group, getattr(suite, group)(), runs, given.no_peers)
    print(f"\n{time.monotonic() - begin:.0f} s; medians of {runs}; memory is the PSS of the whole tree")


def show(group, cases, runs, alone):
    first = None
    cpu_of = {}
    for case in cases:
        ours = "mpms**" in case.name
        if alone and not ours and case.name != "loop in one Lua state":
            continue
        many = runs * 7 if group == "one" and runs > 1 else runs
        cost, rate = median_of([str(word) for word in case.command], many, case.rate)
        rate = rate or case.count / cost.wall
        cpu_of[case.name] = cost.cpu / max(case.count, 1)
        if ours and first is None:
            first = rate
        times = "" if ours or not first else f"{first / rate:,.{1 if first / rate < 10 else 0}f}"
        speed = f"{cost.wall * 1e3:.1f} ms" if case.count == 1 else f"{rate:,.0f}"
        cpu = f"{cpu_of[case.name] * 1e6:.2f}" if case.count else ""
        if case.beside:
            cpu += f" ({cpu_of[case.name] / cpu_of[case.beside]:.1f}× loop)"
        name = f"{case.name} ({journal_size() / case.count:,.1f} bytes a task on disk)" if case.journal else case.name
        row(TITLES[group], name, f"{case.count:,}", speed, cpu, memory_cell(cost.memory), times, case.target)


def journal_size():
    """Bytes of the newest run's folder."""
    newest = max((ROOT / ".mpms/runs").iterdir(), key=lambda folder: folder.stat().st_mtime)
    return sum(file.stat().st_size for file in newest.iterdir())


def show_memory(suite):
    names = [("coordinator", 25), ("each further process", 1.5), ("each further thread", 0.3)]
    for (name, target), found in zip(names, memory.figures([str(word) for word in suite.job("sleep")])):
        row(TITLES["memory"], f"**mpms**, {name}", "", "", "", f"{found:.2f}", "", f"≤ {target} MB")


def memory_cell(size):
    return f"{size / 1e6:.0f}" if size else "–"


def row(*cells):
    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
