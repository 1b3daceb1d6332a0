"""The processes of a run, found by a variable that all of them inherit."""

import os
import signal
from pathlib import Path

MARK = "MPMS_TEST_RUN"


class Process:
    def __init__(self, pid, parent, title):
        self.pid, self.parent, self.title = pid, parent, title

    def __repr__(self):
        return f"{self.pid} of {self.parent}: {self.title}"


def marked(mark):
    """All that live, zombies left out."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            state, parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (OSError, ValueError):
            continue
        if state not in "ZX":
            found.append(Process(int(entry.name), int(parent), title))
    return found


def keeper(processes):
    return [one for one in processes if one.title == "mpms: keeper"]


def workers(processes):
    return [one for one in processes if one.title.startswith("mpms: ") and " worker " in one.title]


def kill(*pids):
    """One that is dead already is no error."""
    for pid in pids:
        assert pid > 1
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
