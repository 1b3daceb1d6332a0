"""Cuts the power at any moment of a run, and checks that nothing that was told is lost.

    python3 tests/powercut/run.py --cuts 1500 [--seed N] [--jobs 2] [--mpms PATH] [--ext4]
    python3 tests/powercut/run.py --only RECORDING/CUT:SEED      # one of them again, from the kept recording

First it records real runs (recorder.c): each is killed once in the middle and resumed. Then, for each cut, it builds a folder as
the disk may have it (volume.py), asks `runs show` what is kept, resumes, and compares the end with an undisturbed run.
"""

import argparse
import bisect
import fcntl
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "durable"))
import subject as subjects
from subject import COMPLETE, TREE, Subject, Wrong, environment, fill
from volume import SAID, SYNC_BEGIN, SYNC_END, WRITE, Volume, build, differences, read_log, snapshot

HERE = Path(__file__).resolve().parent
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())


class Recording:
    """One run, from its first call to its end, with all that was said and when."""

    def __init__(self, name, job, root, before, log, shown, expected):
        self.name, self.job, self.root, self.before, self.log = name, job, root, before, log
        self.shown, self.expected = shown, expected

    def open(self):
        self.ops = read_log(self.log)
        self.told = self.all_told()
        return self

    def all_told(self):
        """(number of records before it was told, done, failed), growing."""
        told, said, done, failed = [], {}, 0, 0
        ends = [op.end for op in self.ops]
        for place, op in enumerate(self.ops):
            if op.kind == SAID:
                text = said.get(op.pid, b"") + op.data
                lines, _, said[op.pid] = text.rpartition(b"\n")
                told.append((place + 1, *subjects.told(lines + b"\n")))
        for size, *counts in self.shown:
            told.append((bisect.bisect_right(ends, size), *counts))
        growing = []
        for place, *counts in sorted(told):
            if counts[0] > done or counts[1] > failed:
                done, failed = max(done, counts[0]), max(failed, counts[1])
                growing.append((place, done, failed))
        return growing

    def told_before(self, cut):
        at = bisect.bisect_right(self.told, cut, key=lambda told: told[0])
        return self.told[at - 1][1:] if at else (0, 0)

    def interesting(self):
        """Just after something was told, and around syncs: where a wrong order shows."""
        places = [place for place, _, _ in self.told]
        return places + places + [place for place, op in enumerate(self.ops) if op.kind in (SYNC_BEGIN, SYNC_END)]


def compile_recorder(folder):
    library = folder / "recorder.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "recorder.c", "-ldl", "-lpthread"], check=True)
    return library


def record(command, job, name, expected, kept, library, seed, sync_us):
    """A run, killed in the middle, resumed, with `runs show` asked all the time."""
    chance = random.Random(f"{name}:{seed}")
    root = Path(tempfile.mkdtemp(prefix="powercut-", dir=MEMORY)).resolve()
    fill(root, job, slow=True)
    before, log = snapshot(str(root)), kept / f"{name}.log"
    log.unlink(missing_ok=True)
    preloaded = {"LD_PRELOAD": str(library), "POWERCUT_LOG": str(log), "POWERCUT_ROOT": str(root), "POWERCUT_SYNC_US": str(sync_us)}
    speaking = environment(**preloaded, POWERCUT_PARENT=str(os.getpid()))
    subject, shown, over = Subject(command, job), [], threading.Event()

    def ask():
        while not over.wait(0.02):
            state, _ = subject.show(root, env=environment(**preloaded))
            if state:
                shown.append((log.stat().st_size, state.done, state.failed))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        # It kills itself after so many records; a kill from outside could fall between a call and its record.
        killed = dict(speaking, POWERCUT_KILL_AT=str(chance.randint(20, 250)))
        first = subprocess.run(subject.run_command(), cwd=root, env=killed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=subjects.HANG)
        # The keeper and the workers are gone within a second; a resume meanwhile is refused.
        end = time.monotonic() + 5
        ended = None
        while first.returncode == -signal.SIGKILL and time.monotonic() < end:
            flags = subject.resume_command("latest") if subject.show(root, env=environment(**preloaded))[0] else subject.run_command()
            ended = subjects.call(flags, root, env=speaking)
            if ended.code in COMPLETE:
                break
            time.sleep(0.05)
        if first.returncode != -signal.SIGKILL and first.returncode not in COMPLETE or ended and ended.code not in COMPLETE:
            sys.exit(f"recording {name}: {ended or first}")
    finally:
        over.set()
        asking.join()
    subject.compare(root, expected)
    recording = Recording(name, job, str(root), before, log, shown, expected)
    recording.open()
    lost = differences(Volume(str(root), before, recording.ops, len(recording.ops)).as_it_is(), str(root))
    if lost:
        sys.exit(f"recording {name}: calls were not seen: {'; '.join(lost[:5])}")
    shutil.rmtree(root)
    with open(kept / f"{name}.pickle", "wb") as file:
        pickle.dump((name, job, str(root), before, str(log), shown, expected), file)
    return recording


def load(kept, name):
    with open(kept / f"{name}.pickle", "rb") as file:
        return Recording(*pickle.load(file)).open()


def check(recording, cut, seed, command, ext4, keep=False):
    """Builds one folder and lets the program go on in it."""
    chance = random.Random(f"{recording.name}:{cut}:{seed}")
    volume = Volume(recording.root, recording.before, recording.ops, cut, ext4)
    tree = volume.after_the_cut(chance)
    tree.pop("slow", None)
    # A journal names the manifest by its whole path, so the folder is where it was, one at a time.
    folder = Path(recording.root)
    alone = open(f"{recording.log}.lock", "w")
    fcntl.flock(alone, fcntl.LOCK_EX)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        build(tree, str(folder), chance)
        subject = Subject(command, recording.job)
        done, failed = recording.told_before(cut)
        state, why = subject.show(folder)
        if state:
            state.holds(done, failed)
        elif done or failed:
            raise Wrong(f"told {done} done and {failed} failed, and runs show ends with {why}")
        if not state or not state.complete:
            ended = subject.resume(folder)
            if ended.code not in COMPLETE:
                if state and (state.done or state.failed):
                    raise Wrong(f"resume ended with {ended}")
                # Nothing was kept and nothing promised: it may begin anew.
                ended = subject.run(folder)
                if ended.code not in COMPLETE:
                    raise Wrong(f"run, begun anew, ended with {ended}")
        subject.compare(folder, recording.expected)
        return None
    except Wrong as wrong:
        return str(wrong)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        alone.close()


work = {}


def check_one(item):
    name, cut, seed = item
    return item, check(work["recordings"][name], cut, seed, work["command"], work["ext4"])


def cuts(recordings, count, seed):
    chance = random.Random(seed)
    for number in range(count):
        recording = recordings[number % len(recordings)]
        last = len(recording.ops)
        if number % 3 == 0 and (near := recording.interesting()):
            cut = min(chance.choice(near) + chance.randint(0, 2), last)
        else:
            cut = chance.randint(0, last)
        yield recording.name, cut, seed + number


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--mpms", help="the program; target/release/mpms unless said")
    parser.add_argument("--ext4", action="store_true", help="a sync of a file makes names safe too")
    parser.add_argument("--job", action="append", choices=subjects.USUAL, help="only this job (again for more)")
    parser.add_argument("--recordings", type=int, default=2, help="runs recorded of each job")
    parser.add_argument("--sync-us", type=int, default=3000, help="microseconds that each sync takes longer while recording")
    parser.add_argument("--kept", type=Path, default=TREE / "target/powercut", help="where recordings are kept")
    parser.add_argument("--only", metavar="RECORDING/CUT:SEED", help="one cut of the kept recordings; its folder stays")
    parser.add_argument("--stop-after", type=int, default=0, help="violations after which it is enough")
    arguments = parser.parse_args()
    command, kept = subjects.program(arguments), arguments.kept
    kept.mkdir(parents=True, exist_ok=True)
    if arguments.only:
        name, _, rest = arguments.only.partition("/")
        cut, _, seed = rest.partition(":")
        recording = load(kept, name)
        for place in range(max(0, int(cut) - 12), int(cut)):
            print(f"{place:6} {recording.ops[place]!r}".replace(recording.root, ""))
        print(f"told: {recording.told_before(int(cut))}; folder: {recording.root}")
        print(check(recording, int(cut), int(seed), command, arguments.ext4, True) or "right")
        return
    began, library = time.monotonic(), compile_recorder(kept)
    todo, expected = [], {}
    for job in arguments.job or subjects.USUAL:
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            expected[job] = Subject(command, job).undisturbed(folder)
        todo += [(job, f"{job}-{number}") for number in range(1, arguments.recordings + 1)]
    # Tasks sleep while they are recorded, so that several recordings need no more CPUs than one.
    recordings, errors = [], []

    def record_one(job, name):
        try:
            recordings.append(record(command, job, name, expected[job], kept, library, arguments.seed, arguments.sync_us))
        except BaseException as error:
            errors.append(f"{name}: {error}")

    for at in range(0, len(todo), 3):
        threads = [threading.Thread(target=record_one, args=one) for one in todo[at:at + 3]]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    if errors:
        sys.exit("\n".join(errors))
    recordings.sort(key=lambda recording: recording.name)
    recorded = time.monotonic() - began
    work.update(recordings={one.name: one for one in recordings}, command=command, ext4=arguments.ext4)
    wrong, checked = 0, 0
    with multiprocessing.get_context("fork").Pool(arguments.jobs) as pool:
        for (name, cut, seed), why in pool.imap_unordered(check_one, cuts(recordings, arguments.cuts, arguments.seed)):
            checked += 1
            if why:
                wrong += 1
                print(f"VIOLATION {name}/{cut}:{seed}  {why}", flush=True)
                if wrong == arguments.stop_after:
                    break
    ops = sum(len(one.ops) for one in recordings)
    told = sum(len(one.told) for one in recordings)
    print(f"powercut: {checked} cuts in {len(recordings)} recordings ({ops} calls, {told} times told), {wrong} violations; "
          f"seed {arguments.seed}, recorded {recorded:.1f} s, all {time.monotonic() - began:.1f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
