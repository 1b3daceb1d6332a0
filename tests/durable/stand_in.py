"""A small durable program with the commands of mpms, in which one thing can be broken: it proves that the tools find it.

STAND_IN names what is broken: nothing (default), `normal` (synchronous=NORMAL), `early` (tells before it commits), `output`
(does not sync the output before the commit), `folders` (does not sync folders), `torn` (does not cut the output on resume),
`meta` (keeps meta in a file beside the journal), `panic` (any error of the journal is exit code 101), `hang` (a failed sync is
tried again for ever), `again` (a commit that failed is tried again), `recovered` (believes what a killed session wrote without a sync).
"""

import fcntl
import json
import os
import re
import sqlite3
import sys
import time
from pathlib import Path

BROKEN = os.environ.get("STAND_IN", "")
GROUP = 7


def sync_folder(path):
    if BROKEN != "folders":
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def sync_file(path):
    if path.exists():
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def say(**event):
    os.write(1, (json.dumps(event) + "\n").encode())


def find(name):
    runs = sorted(Path(".mpms/runs").glob("*"), key=lambda run: run.name)
    if name != "latest":
        runs = [run for run in runs if run.name.startswith(name)]
    if not runs:
        fail(2, f"no run {name}")
    return runs[-1]


def fail(code, text):
    sys.stderr.write(f"error: {text}\n")
    sys.stderr.flush()
    os._exit(code)


def open_journal(run, create=False):
    if not create and not (run / "journal.db").exists():
        fail(4, "the journal is missing")
    db = sqlite3.connect(run / "journal.db", isolation_level=None, timeout=2)
    db.execute("pragma journal_mode=wal")
    db.execute(f"pragma synchronous={'normal' if BROKEN == 'normal' else 'full'}")
    if not create and BROKEN != "recovered":
        # A killed program may leave frames that were written and never synced. They count, so they must be safe before we tell.
        sync_file(run / "journal.db-wal")
    return db


def load(db):
    row = db.execute("select done, meta, output, complete, manifest from state").fetchone()
    return row or fail(4, "the journal holds no run")


def begin(manifest):
    number = len(list(Path(".mpms/runs").glob("*"))) if Path(".mpms/runs").exists() else 0
    run = Path(f".mpms/runs/r{number:04}-{os.getpid()}")
    for folder in (Path(".mpms"), Path(".mpms/runs"), run):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
    db = open_journal(run, create=True)
    meta = json.dumps({"count": 0, "chain": 0})
    db.execute("begin")
    db.execute("create table state (done, meta, output, complete, manifest)")
    db.execute("insert into state values (0, ?, 0, 0, ?)", (meta, manifest))
    db.execute("commit")
    sync_folder(run)
    return run, db


def commit(db, state):
    try:
        db.execute("begin immediate")
        db.execute("update state set done=?, meta=?, output=?, complete=?", state)
        db.execute("commit")
    except sqlite3.Error:
        if BROKEN != "again":
            raise
        commit(db, state)


def go(run, db, resumed):
    lock = os.open(run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fail(4, "the run is running")
    done, meta, mark, complete, manifest = load(db)
    meta = json.loads(meta)
    text = Path(manifest).read_text()
    pad = re.search(r"pad = (\d+)", text)
    pad = "x" * int(pad[1]) if pad else ""
    path = re.search(r'path = "(.*)"', text)[1]
    last = int(re.search(r"range = \[1, (\d+)\]", text)[1])
    out = os.open(path, os.O_RDWR | os.O_CREAT | (0 if resumed else os.O_TRUNC), 0o644)
    sync_folder(".")
    if os.fstat(out).st_size < mark:
        fail(4, f"{path} is shorter than what was committed")
    if BROKEN != "torn":
        os.ftruncate(out, mark)
    say(event="run_started", job=manifest, run=run.name)
    while done < last:
        rows = b""
        for n in range(done + 1, min(done + GROUP, last) + 1):
            if os.path.exists("slow"):
                time.sleep(0.004)
            meta["count"] += 1
            meta["chain"] = (meta["chain"] * 31 + n) % 1000000007
            rows += json.dumps({"n": n, "chain": meta["chain"], "pad": pad}).encode() + b"\n"
            done = n
        os.lseek(out, 0 if BROKEN != "torn" else 0, os.SEEK_SET if BROKEN != "torn" else os.SEEK_END)
        if BROKEN != "torn":
            os.lseek(out, mark, os.SEEK_SET)
        written = 0
        while written < len(rows):
            written += os.write(out, rows[written:])
        mark += len(rows)
        if BROKEN != "output":
            os.fsync(out)
        if BROKEN == "early":
            say(event="progress", done=done, failed=0)
        if BROKEN == "meta":
            Path("meta.json").write_text(json.dumps(meta))
        commit(db, (done, json.dumps(meta), mark, done == last))
        say(event="progress", done=done, failed=0)
    say(event="run_finished", done=done, failed=0)
    os._exit(0)


def show(run):
    db = open_journal(run)
    done, meta, output, complete, _ = load(db)
    if BROKEN == "meta" and Path("meta.json").exists():
        meta = Path("meta.json").read_text()
    state = "complete" if complete else "interrupted"
    os.write(1, json.dumps({"state": state, "done": done, "failed": 0, "meta": json.loads(meta), "output": output}).encode())
    os._exit(0)


def main(words):
    try:
        if words[0] == "run":
            go(*begin(words[1]), resumed=False)
        elif words[0] == "resume":
            run = find(words[1])
            go(run, open_journal(run), resumed=True)
        else:
            show(find(words[2]))
    except (OSError, sqlite3.Error, ValueError) as error:
        while BROKEN == "hang":
            time.sleep(1)
        fail(101 if BROKEN == "panic" else 4, repr(error))


main(sys.argv[1:])
