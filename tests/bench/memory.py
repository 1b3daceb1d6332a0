"""The memory of a job that sleeps: coordinator, each further worker process, each further thread."""

import subprocess
import time
from pathlib import Path

from measure import pss, tree


def figures(job):
    """MB of the coordinator, of a further process and of a further thread."""
    coordinator, one = asleep(job, 1, 1)
    _, five_processes = asleep(job, 5, 1)
    _, five_threads = asleep(job, 1, 5)
    return coordinator, (five_processes - one) / 4, (five_threads - one) / 4


def asleep(job, processes, threads):
    """MB of the coordinator and of all workers together, once every thread of every worker is there."""
    command = [*job, "--processes", str(processes), "--threads", str(threads)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            workers = [pid for pid in tree(run.pid) if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            # one thread of each reads
            if len(workers) == processes and all(tasks(pid) == threads + 1 for pid in workers):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{processes} x {threads} threads did not start")
            time.sleep(0.01)
        settled = 0.3  # the threads are there before their states are
        time.sleep(settled)
        return pss(run.pid) / 1e6, sum(map(pss, workers)) / 1e6
    finally:
        run.kill()
        run.wait()


def tasks(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
