"""The program under test, seen from outside: runs, what it says of them, and what they leave behind."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
JOBS = HERE / "jobs"
USUAL = ("sums", "chain", "table", "heavy")
SCRIPTS = {"table": "sums", "heavy": "chain"}
OUTPUTS = {"table": "rows.sqlite"}
ORDERED = ("chain", "heavy", "fill")
COMPLETE = (0, 1)  # every task succeeded; some failed for good
HANG = float(os.environ.get("HANG", "40"))  # seconds after which something hangs


class Wrong(Exception):
    """A promise is broken."""


def program(arguments):
    """The command that `--mpms` names; a Python file runs with this Python."""
    path = Path(arguments.mpms) if arguments.mpms else TREE / "target/release/mpms"
    if not path.exists():
        sys.exit(f"{path} is missing: cargo build --release, or --mpms PATH")
    path = str(path.resolve())
    return [sys.executable, "-S", path] if path.endswith(".py") else [path]


def fill(folder, job, slow=False):
    """A folder with the job; `slow` lets each task take 20 ms."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (f"{job}.toml", f"{SCRIPTS.get(job, job)}.lua"):
        shutil.copy(JOBS / name, folder / name)
    if slow:
        (folder / "slow").touch()
    # The folder of runs belongs here, whatever is above.
    (folder / ".mpms").mkdir(exist_ok=True)


def output(job):
    return OUTPUTS.get(job, "rows.jsonl")


class Ended:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def told(self):
        return told(self.out)

    def __str__(self):
        words = self.err.decode(errors="replace").strip()
        for line in self.out.split(b"\n")[:-1]:
            if line.startswith(b'{"event":"run_finished"') and (stopped := json.loads(line).get("stopped")):
                words += f" {stopped['message']}"
        return f"exit code {self.code}: {words[-600:]}"


def told(out):
    """The largest counts in complete lines of events: (done, failed)."""
    done = failed = 0
    for line in out.split(b"\n")[:-1]:
        if b'"progress"' in line or b'"run_finished"' in line:
            event = json.loads(line)
            done, failed = max(done, event["done"]), max(failed, event["failed"])
    return done, failed


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POWERCUT_", "MPMS_", "LD_"))}
    return {**kept, "NO_COLOR": "1", **more}


def call(command, folder, env=None, within=HANG, before=None):
    """Runs a command to its end, with what it started. A hang, a panic or a death by a signal is wrong."""
    process = subprocess.Popen(command, cwd=folder, env=env or environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True, preexec_fn=before)
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Wrong(f"hangs: {' '.join(command[-4:])}") from None
    ended = Ended(process.returncode, out, err)
    if ended.code == 101 or ended.code < 0 or b"panicked at" in err:
        raise Wrong(f"{' '.join(command[-4:])} ended with {ended}")
    return ended


class Subject:
    def __init__(self, command, job, prefix=()):
        self.command, self.job, self.prefix = command, job, list(prefix)

    def run_command(self, *flags):
        return [*self.prefix, *self.command, "run", f"{self.job}.toml", "--format", "json", *flags]

    def resume_command(self, run, *flags):
        return [*self.prefix, *self.command, "resume", run, "--format", "json", *flags]

    def show_command(self, run):
        return [*self.prefix, *self.command, "runs", "show", run, "--format", "json"]

    def run(self, folder, *flags, **how):
        return call(self.run_command(*flags), folder, **how)

    def resume(self, folder, run="latest", *flags, **how):
        return call(self.resume_command(run, *flags), folder, **how)

    def show(self, folder, run="latest", **how):
        """What `runs show` says, or None and why."""
        ended = call(self.show_command(run), folder, **how)
        if ended.code != 0:
            return None, ended
        try:
            return State(json.loads(ended.out)), ended
        except (ValueError, KeyError, TypeError) as error:
            raise Wrong(f"runs show said {ended.out!r}: {error!r}") from None

    def undisturbed(self, folder):
        fill(folder, self.job)
        ended = self.run(folder)
        if ended.code not in COMPLETE:
            sys.exit(f"the undisturbed run of {self.job} ended with {ended}")
        state, why = self.show(folder)
        if state is None or not state.complete:
            sys.exit(f"runs show after the undisturbed run of {self.job}: {state or why}")
        return self.final(folder, state)

    def final(self, folder, state):
        """All that must be the same, however often the run was disturbed."""
        return {"done": state.done, "failed": state.failed, "meta": state.meta, "rows": self.rows(Path(folder))}

    def rows(self, folder):
        path = folder / output(self.job)
        if not path.exists():
            return None
        if path.suffix == ".sqlite":
            return table(path)
        if self.job in ORDERED:
            return path.read_bytes()
        lines = path.read_bytes().split(b"\n")
        return sorted(lines)

    def finish(self, folder, expected, run="latest", within=HANG):
        """Resumes until the end and compares."""
        state, why = self.show(folder, run)
        if state is None or not state.complete:
            ended = self.resume(folder, run, within=within)
            if ended.code not in COMPLETE:
                raise Wrong(f"resume ended with {ended}")
        self.compare(folder, expected, run)

    def compare(self, folder, expected, run="latest"):
        state, why = self.show(folder, run)
        if state is None or not state.complete:
            raise Wrong(f"not complete after the resume: {state or why}")
        found = self.final(folder, state)
        for what, right in expected.items():
            if found[what] != right:
                raise Wrong(f"{what} at the end: {difference(found[what], right)}")


def table(path):
    """All rows of all tables, sorted: their numbers differ with the order of results."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        names = [name for (name,) in db.execute("select name from sqlite_schema where type = 'table' order by name")]
        return sorted(f"{name} {row!r}" for name in names for row in db.execute(f'select * from "{name}"'))
    except sqlite3.Error as error:
        raise Wrong(f"{path.name}: {error}") from None
    finally:
        db.close()


class State:
    """The answer of `runs show --format json`."""

    def __init__(self, answer):
        state = answer["state"]
        self.name = state if isinstance(state, str) else state["state"]
        self.done, self.failed, self.meta = answer["done"], answer["failed"], answer["meta"]
        self.complete = self.name == "complete"
        self.answer = answer

    def __str__(self):
        return f"{self.name}, {self.done} done, {self.failed} failed, meta {self.meta!r:.200}"

    def holds(self, done, failed):
        """Nothing told is missing, and `meta` belongs to what is done."""
        if self.done < done or self.failed < failed:
            raise Wrong(f"told {done} done and {failed} failed, kept {self.done} and {self.failed}")
        meta = self.meta or {}
        if "count" in meta and meta["count"] != self.done:
            raise Wrong(f"{self.done} done, and meta counts {meta['count']}")


def difference(found, right):
    if isinstance(found, bytes) and isinstance(right, bytes):
        found, right = found.split(b"\n"), right.split(b"\n")
    if isinstance(found, list) and isinstance(right, list):
        for number, (one, other) in enumerate(zip(found, right), 1):
            if one != other:
                return f"row {number} is {one!r}, not {other!r} ({len(found)} rows, not {len(right)})"
        return f"{len(found)} rows, not {len(right)}"
    return f"{found!r:.200}, not {right!r:.200}"


def wait_until(condition, within, what):
    end = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > end:
            raise Wrong(f"after {within} s still not: {what}")
        time.sleep(0.005)
    return found
