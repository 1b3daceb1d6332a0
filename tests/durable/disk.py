"""A disk that fails or is full: the run stops with exit code 4, keeps what it told, and is resumed when the disk is well.

    python3 tests/durable/disk.py [--part calls|strace|full|readonly] [--last 300] [--mpms PATH]

calls     EIO and ENOSPC at the N-th call of the coordinator that changes its folder (writes, syncs, opens, renames, …), N from 1 to
          `--last`, once or from then on, by the preloaded recorder
strace    the same for the N-th write and sync of each thread, by `strace -e inject`, without a view to whose file it is
full      a file system of 4 MiB (needs the right to mount; `unshare -rm` gives it to most users)
readonly  the same, read-only from the start and from the middle on
"""

import argparse
import concurrent.futures
import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "powercut"))
import subject as subjects
from run import MEMORY, compile_recorder
from subject import COMPLETE, Subject, Wrong, environment, fill
from volume import FAILED, SYNC_BEGIN, TRUNCATE, WRITE, read_log

KEPT = 4
SLOW_JOBS = ("chain", "sums")


def after_the_fault(subject, folder, ended, expected, hit):
    """The laws that hold whatever failed."""
    if ended.code not in (*COMPLETE, KEPT):
        raise Wrong(f"after the fault: {ended}")
    if ended.code == KEPT and not ended.err.strip() and b'"stopped":{' not in ended.out:
        raise Wrong("exit code 4 without a word")
    if not hit and ended.code not in COMPLETE:
        raise Wrong(f"nothing failed, and: {ended}")
    done, failed = ended.told
    state, why = subject.show(folder)
    if state:
        state.holds(done, failed)
        if ended.code in COMPLETE and not state.complete:
            raise Wrong(f"exit code {ended.code}, and the state is {state}")
    elif done or failed or ended.code in COMPLETE:
        raise Wrong(f"told {done} done and {failed} failed, {ended}; runs show ends with {why}")
    (folder / "slow").unlink(missing_ok=True)
    if state:
        subject.finish(folder, expected)
    else:
        again = subject.run(folder)
        if again.code not in COMPLETE:
            raise Wrong(f"run, begun anew, ended with {again}")
        subject.compare(folder, expected)


LOG_AND_FILE = ("journal.db", "journal.db-wal")


def nothing_after(ops):
    """After a sync of the journal's log has failed nobody knows what the disk holds: nothing more is written to it, and
    the sync is not tried again. (The first sync of a new journal's file has a thread of its own, and may begin then.)"""
    failed = next((place for place, op in enumerate(ops) if op.kind == FAILED), None)
    if failed is None or "sync" not in ops[failed].to or Path(ops[failed].path).name != "journal.db-wal":
        return
    for op in ops[failed + 1:]:
        name = Path(op.path).name
        if name == "journal.db-wal" and op.kind == SYNC_BEGIN or name in LOG_AND_FILE and op.kind in (WRITE, TRUNCATE):
            raise Wrong(f"after a failed {ops[failed].to} of {Path(ops[failed].path).name}: {op}")


def calls(command, arguments, base, expected):
    library = compile_recorder(base)

    def one(job, number, code, always):
        folder = Path(tempfile.mkdtemp(prefix="disk-", dir=MEMORY)).resolve()
        log = base / f"{folder.name}.log"
        try:
            fill(folder, job, slow=True)
            failing = f"{number}:{code}:always" if always else f"{number}:{code}"
            env = environment(LD_PRELOAD=str(library), POWERCUT_LOG=str(log), POWERCUT_ROOT=str(folder), POWERCUT_PARENT=str(os.getpid()),
                              POWERCUT_FAIL=failing)
            subject = Subject(command, job)
            ended = subject.run(folder, env=env)
            ops = read_log(log)
            hit = [op for op in ops if op.kind == FAILED]
            nothing_after(ops)
            after_the_fault(subject, folder, ended, expected[job], hit)
            return ended.code, hit, None
        except Wrong as wrong:
            hit = [op for op in read_log(log) if op.kind == FAILED] if log.exists() else []
            return None, hit, wrong
        finally:
            log.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)

    kinds = list(itertools.product(SLOW_JOBS, (errno.EIO, errno.ENOSPC), (False, True)))
    todo = [(job, number, code, always) for number in range(1, arguments.last + 1) for job, code, always in kinds]
    wrong, hits, codes = 0, 0, {}
    # The tasks sleep, so there may be more runs than CPUs.
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs * 4) as pool:
        for item, (code, hit, why) in zip(todo, pool.map(lambda item: one(*item), todo)):
            hits += bool(hit)
            codes[code] = codes.get(code, 0) + 1
            if why:
                wrong += 1
                job, number, fault, always = item
                where = f"{hit[0].to} of {Path(hit[0].path).name}" if hit else "nothing"
                print(f"VIOLATION {job}: call {number} ({where}) fails with {errno.errorcode[fault]}{', always' * always}: {why}",
                      flush=True)
    return wrong, f"{len(todo)} runs, {hits} of them hit; exit codes {codes}"


def strace(command, arguments, base, expected):
    if not shutil.which("strace"):
        return 0, "skipped: there is no strace"

    def one(call, number, fault):
        folder = Path(tempfile.mkdtemp(prefix="disk-", dir=MEMORY)).resolve()
        log = base / f"{folder.name}.strace"
        try:
            fill(folder, "chain", slow=True)
            inject = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:error={fault}:when={number}"]
            ended = Subject(command, "chain", inject).run(folder)
            hit = b"(INJECTED)" in log.read_bytes()
            after_the_fault(Subject(command, "chain"), folder, ended, expected["chain"], hit)
            return ended.code, hit, None
        except Wrong as wrong:
            return None, True, wrong
        finally:
            log.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)

    # `write` is the talk with workers and the user too, so it is left to `calls`.
    names = ("pwrite64", "fdatasync", "fsync", "ftruncate")
    numbers = sorted({*range(1, min(arguments.last, 20) + 1), *range(20, arguments.last + 1, 10)})
    todo = [(name, number, fault) for number in numbers for name in names for fault in ("EIO", "ENOSPC")]
    wrong, hits, codes = 0, 0, {}
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs * 2) as pool:
        for item, (code, hit, why) in zip(todo, pool.map(lambda item: one(*item), todo)):
            hits += bool(hit)
            codes[code] = codes.get(code, 0) + 1
            if why:
                wrong += 1
                print(f"VIOLATION strace {item[0]} {item[1]} {item[2]}: {why}", flush=True)
    return wrong, f"{len(todo)} runs, {hits} of them hit; exit codes {codes}"


class Mounted:
    """A file system of its own size."""

    def __init__(self, base, size):
        self.folder = base / "mounted"
        self.folder.mkdir()
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.folder)

    def __enter__(self):
        return self

    def now(self, options):
        mount("-o", f"remount,{options}", self.folder)

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=True)
        self.folder.rmdir()


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def may_mount():
    """Gets the right to mount, or says that there is none."""
    if os.environ.get("DISK_UNSHARED") or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        return True
    if subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.execvpe("unshare", ["unshare", "-rm", sys.executable, *sys.argv], {**os.environ, "DISK_UNSHARED": "1"})
    return False


def full(command, arguments, base, expected):
    wrong, said = 0, []
    for job in ("fill", "queue"):
        try:
            with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                right = Subject(command, job).undisturbed(folder)
            with Mounted(base, "4m") as disk:
                subject = Subject(command, job)
                fill(disk.folder, job, slow=True)
                began = time.monotonic()
                ended = subject.run(disk.folder)
                if ended.code != KEPT:
                    raise Wrong(f"on a full disk: {ended}")
                told = ended.told
                state, why = subject.show(disk.folder)
                if not state:
                    raise Wrong(f"runs show on a full disk: {why}")
                state.holds(*told)
                still = subject.resume(disk.folder)
                if still.code != KEPT:
                    raise Wrong(f"resume on a full disk: {still}")
                disk.now("size=64m")
                (disk.folder / "slow").unlink()
                state, why = subject.show(disk.folder)
                state.holds(*told)
                subject.finish(disk.folder, right)
                said.append(f"{job}: full after {state.done} tasks and {time.monotonic() - began:.1f} s")
        except Wrong as why:
            wrong += 1
            print(f"VIOLATION full, {job}: {why}", flush=True)
    return wrong, ", ".join(said)


def readonly(command, arguments, base, expected):
    wrong = 0
    try:
        with Mounted(base, "64m") as disk:
            subject = Subject(command, "chain")
            fill(disk.folder, "chain")
            disk.now("ro")
            ended = subject.run(disk.folder)
            if ended.code not in (2, 3, KEPT) or not ended.err.strip() and b'"stopped":{' not in ended.out:
                raise Wrong(f"run in a read-only folder: {ended}")
            disk.now("rw")
            (disk.folder / "slow").touch()
            started = subprocess.Popen(subject.run_command(), cwd=disk.folder, env=environment(), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            subjects.wait_until(lambda: (found := subject.show(disk.folder)[0]) and found.done > 20, 20, "20 tasks done")
            started.send_signal(signal.SIGKILL)
            started.wait()
            time.sleep(1)
            kept = subject.show(disk.folder)[0]
            disk.now("ro")
            ended = subject.resume(disk.folder)
            if ended.code not in (2, 3, KEPT) or not ended.err.strip() and b'"stopped":{' not in ended.out:
                raise Wrong(f"resume in a read-only folder: {ended}")
            state, why = subject.show(disk.folder)
            if state:
                state.holds(kept.done, kept.failed)
            elif why.code not in (2, 3, KEPT):
                raise Wrong(f"runs show in a read-only folder: {why}")
            disk.now("rw")
            (disk.folder / "slow").unlink()
            subject.finish(disk.folder, expected["chain"])
    except Wrong as why:
        wrong += 1
        print(f"VIOLATION readonly: {why}", flush=True)
    return wrong, "runs show " + ("answers" if wrong == 0 and state else "refuses") + " in a read-only folder"


PARTS = {"full": full, "readonly": readonly, "calls": calls, "strace": strace}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=list(PARTS), action="append")
    parser.add_argument("--last", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--mpms", help="the program; target/release/mpms unless said")
    arguments = parser.parse_args()
    command, all_wrong = subjects.program(arguments), 0
    mounts = {"full", "readonly"} & set(arguments.part or PARTS)
    may = not mounts or may_mount()
    base = Path(tempfile.mkdtemp(prefix="disk-"))
    expected = {job: Subject(command, job).undisturbed(base / f"undisturbed-{job}") for job in SLOW_JOBS}
    for name in arguments.part or PARTS:
        began = time.monotonic()
        if name in mounts and not may:
            print(f"disk, {name}: skipped, no right to mount")
            continue
        wrong, line = PARTS[name](command, arguments, base, expected)
        all_wrong += wrong
        print(f"disk, {name}: {line}; {wrong} violations, {time.monotonic() - began:.1f} s", flush=True)
    shutil.rmtree(base)
    sys.exit(1 if all_wrong else 0)


if __name__ == "__main__":
    main()
