"""Files of a run that something has damaged: each command ends, with a sentence or with a consistent state, and never panics.

    python3 tests/durable/damage.py --rounds 400 [--seed N] [--only ROUND] [--mpms PATH]

A run is killed in the middle; each round damages one copy of it: bytes flipped, a file cut, emptied, filled with text, removed, with
a tail of garbage, or made a folder. Then `runs`, `runs show`, `resume`, and `run` in the same folder.
"""

import argparse
import collections
import concurrent.futures
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import subject as subjects
from subject import COMPLETE, Subject, Wrong, call, environment, fill, wait_until

REFUSED = (2, 4)
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())


def noticed(path, how):
    """What can be noticed, so that the end is right or the resume refused. A flipped byte of a page or a row nobody can tell."""
    if path.name == "journal.db":
        return how in ("empty", "text", "removed", "folder")
    if path.name.startswith("rows"):
        return how in ("empty", "removed", "folder", "cut")
    return True


def stopped_in_the_middle(subject, folder):
    fill(folder, subject.job, slow=True)
    process = subprocess.Popen(subject.run_command(), cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: (state := subject.show(folder)[0]) and state.done > 100, 30, "100 tasks done")
    process.kill()
    process.wait()
    time.sleep(1.2)  # until the last of its processes is gone
    (folder / "slow").unlink()


def damage(path, chance):
    content = bytearray(path.read_bytes())
    how = chance.choice(("flip", "flip", "flip", "cut", "cut", "empty", "text", "removed", "tail", "zeros", "folder"))
    if how == "flip" and content:
        for _ in range(chance.choice((1, 1, 3, 30))):
            # Headers are small, and worth as many rounds as the rest.
            at = chance.randrange(min(len(content), chance.choice((100, 5000, len(content)))))
            content[at] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del content[chance.randint(0, len(content)):]
    elif how == "empty":
        content.clear()
    elif how == "text":
        content[:] = b"this is not what was here before\n" * chance.choice((1, 300))
    elif how == "tail":
        content += chance.randbytes(chance.choice((1, 100, 5000)))
    elif how == "zeros":
        at = chance.randint(0, len(content))
        content[at:at + 4096] = bytes(min(4096, len(content) - at))
    if how in ("removed", "folder"):
        path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "removed":
        path.write_bytes(content)
    return how


def one(slots, subject, expected, number, seed):
    chance = random.Random(f"{seed}:{number}")
    # A journal names the manifest by its whole path, so each copy is made where the run was.
    base, what = slots.get(), "nothing"
    folder = base / "job"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base / "pristine", folder)
        (run,) = (folder / ".mpms/runs").iterdir()
        files = [path for path in sorted(run.iterdir()) if not path.name.endswith("-shm")] + [folder / subjects.output(subject.job)]
        path = chance.choice([*files, *(file for file in files if file.name.startswith("journal"))])
        how = damage(path, chance)
        what = f"{path.name}, {how}"
        listed = call([*subject.command, "runs"], folder) if not subject.command[-1].endswith(".py") else None
        if listed and listed.code not in (0, *REFUSED):
            raise Wrong(f"runs: {listed}")
        state, why = subject.show(folder)
        if not state and why.code not in REFUSED:
            raise Wrong(f"runs show: {why}")
        ended = subject.resume(folder)
        if ended.code not in (*COMPLETE, 5, *REFUSED):
            raise Wrong(f"resume: {ended}")
        end = "refused"
        if ended.code in REFUSED:
            if not ended.err.strip():
                raise Wrong(f"resume is refused without a word: {ended}")
            # A damaged run does not stand in the way of a new one.
            anew = subject.run(folder)
            if anew.code not in (*COMPLETE, *REFUSED):
                raise Wrong(f"run beside a damaged run: {anew}")
            if anew.code in COMPLETE:
                subject.compare(folder, expected)
        else:
            try:
                subject.compare(folder, expected)
                end = "right"
            except Wrong as wrong:
                end = "unnoticed"
                if noticed(path, how):
                    raise Wrong(f"exit code {ended.code}, and {wrong}") from None
        return what, end, None
    except Wrong as wrong:
        return what, "VIOLATION", wrong
    finally:
        slots.put(base)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--only", type=int, metavar="ROUND", help="one round again; its folder stays")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--job", choices=subjects.USUAL, default="sums")
    parser.add_argument("--mpms", help="the program; target/release/mpms unless said")
    arguments = parser.parse_args()
    command, base = subjects.program(arguments), Path(tempfile.mkdtemp(prefix="damage-"))
    subject, began = Subject(command, arguments.job), time.monotonic()
    expected = subject.undisturbed(base / "undisturbed")
    slots = queue.Queue()
    memory = Path(tempfile.mkdtemp(prefix="damage-", dir=MEMORY))
    for number in range(arguments.jobs):
        slot = memory / str(number)
        stopped_in_the_middle(subject, slot / "job")
        shutil.copytree(slot / "job", slot / "pristine")
        slots.put(slot)
    ends, wrong = collections.Counter(), 0
    numbers = [arguments.only] if arguments.only else range(1, arguments.rounds + 1)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        rounds = pool.map(lambda number: one(slots, subject, expected, number, arguments.seed), numbers)
        for number, (what, end, why) in zip(numbers, rounds):
            ends[end] += 1
            if why:
                wrong += 1
                print(f"VIOLATION round {number} ({what}): {why}; again: --seed {arguments.seed} --only {number}", flush=True)
    shutil.rmtree(base)
    if arguments.only:
        print(f"the folder: {memory}")
    else:
        shutil.rmtree(memory)
    print(f"damage: {len(numbers)} rounds, {dict(ends)}; {wrong} violations; seed {arguments.seed}, {time.monotonic() - began:.1f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
