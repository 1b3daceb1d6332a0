"""Runs a command and says what it cost: wall time, CPU time of its whole tree, memory of its whole tree."""

import os
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Cost:
    """What one run of a command took: seconds, seconds, bytes (0: over before anyone looked)."""

    wall: float
    cpu: float
    memory: int
    output: str


def run(command, timeout=120):
    """Runs the command to its end. Raises when it fails."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    guard = threading.Timer(timeout, process.kill)
    guard.start()
    peak = Peak(process.pid)
    try:
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
    finally:
        guard.cancel()
        memory = peak.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {process.returncode}\n{output[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, memory, output)


def median_of(command, runs, rate=None):
    """The median of each figure. `rate` reads the tasks a second from the output of tools that run for a time."""
    costs = [run(command) for _ in range(runs)]
    middle = {name: statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory")}
    rates = [rate(cost.output) for cost in costs] if rate else []
    return Cost(**middle, output=costs[-1].output), statistics.median(rates) if rates else None


class Peak:
    """Looks at the memory of a process and all below it now and then."""

    EVERY = 0.1

    def __init__(self, pid):
        self.pid = pid
        self.most = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        pause = self.EVERY / 5
        while not self.ended.wait(pause):
            pause = self.EVERY
            self.most = max(self.most, sum(pss(pid) for pid in tree(self.pid)))

    def stop(self):
        self.ended.set()
        self.thread.join()
        return self.most


def tree(pid):
    """The process and all below it."""
    found = [pid]
    for pid in found:
        try:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found.extend(int(child) for child in children.read_text().split())
        except OSError:
            pass
    return found


def pss(pid):
    """Bytes of memory of a process, shared pages divided by those who share them (proc(5), smaps_rollup)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
