"""Kills processes of runs at random moments, resumes, kills again; in the end nothing may be missing or twice.

    python3 tests/durable/kill.py --rounds 200 [--seed N] [--only ROUND] [--jobs 2] [--mpms PATH]

A round is one run: sessions in which the coordinator, the keeper, a worker or several of them die by `kill -9`, then a session in
peace. After each: nothing that was told is missing, `meta` belongs to what is done, and nobody is alive a second later.
"""

import argparse
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import processes
import subject as subjects
from subject import COMPLETE, Subject, Wrong, environment, fill, told, wait_until

MOST_SESSIONS = 9
GONE = 1.0  # seconds in which all must be dead
SLACK = 0.5  # what this machine may need to look
ALLOWED = (*COMPLETE, 4, 5)  # a session whose keeper or workers were killed may give up, with a sentence


class Round:
    def __init__(self, number, seed, command, folder, expected):
        self.chance = random.Random(f"{seed}:{number}")
        self.job = list(expected)[number % len(expected)]
        self.subject = Subject(command, self.job)
        self.folder, self.expected, self.name = folder, expected[self.job], f"{os.getpid()}-{seed}-{number}"
        self.done = self.failed = self.sessions = 0
        self.killed = {"coordinator": 0, "keeper": 0, "workers": 0}
        self.gone_by = []

    def go(self):
        fill(self.folder, self.job)
        state = None
        while self.sessions < MOST_SESSIONS:
            self.session(state)
            state, why = self.subject.show(self.folder)
            if state:
                state.holds(self.done, self.failed)
                self.done, self.failed = state.done, state.failed
                if state.complete:
                    break
            elif self.done or self.failed:
                raise Wrong(f"told {self.done} done and {self.failed} failed, and runs show ends with {why}")
        (self.folder / "slow").unlink(missing_ok=True)
        if state:
            self.subject.finish(self.folder, self.expected)
        else:
            ended = self.subject.run(self.folder)
            if ended.code not in COMPLETE:
                raise Wrong(f"run after {why}, ended with {ended}")
            self.subject.compare(self.folder, self.expected)
        self.all_gone()
        return f"{self.job}, {self.sessions} sessions, killed {self.killed}"

    def session(self, state):
        """One `run` or `resume`, and what happens to it."""
        self.sessions += 1
        slow = self.chance.random() < 0.8
        if slow:
            (self.folder / "slow").touch()
        else:
            (self.folder / "slow").unlink(missing_ok=True)
        mark = f"{self.name}-{self.sessions}"
        command = self.subject.resume_command("latest") if state else self.subject.run_command()
        out, err = self.folder / f"out.{self.sessions}", self.folder / f"err.{self.sessions}"
        with open(out, "wb") as to, open(err, "wb") as errors:
            process = subprocess.Popen(command, cwd=self.folder, env=environment(**{processes.MARK: mark}), stdin=subprocess.DEVNULL,
                                       stdout=to, stderr=errors)
        hang = time.monotonic() + subjects.HANG
        try:
            self.all_gone()
            while process.poll() is None:
                # Of a fast session of 50 ms the end is hit as often as the middle.
                longest = self.chance.choice((0.08, 0.5)) if slow else 0.08
                self.sleep(process, self.chance.uniform(0.005, longest))
                if self.chance.random() < 0.5:
                    self.until_it_writes(process)
                if self.chance.random() < 0.3 and (seen := self.subject.show(self.folder)[0]):
                    self.done, self.failed = max(self.done, seen.done), max(self.failed, seen.failed)
                self.strike(process, mark)
                if time.monotonic() > hang:
                    raise Wrong(f"session {self.sessions} hangs: {processes.marked(mark)}")
        finally:
            if process.poll() is None:
                processes.kill(process.pid)
            process.wait()
        self.gone_by.append((mark, time.monotonic() + GONE + SLACK))
        done, failed = told(out.read_bytes())
        self.done, self.failed = max(self.done, done), max(self.failed, failed)
        said = err.read_bytes()
        if process.returncode == 101 or b"panicked at" in said:
            raise Wrong(f"session {self.sessions} panicked: {said[-600:]!r}")
        if process.returncode not in (-9, *ALLOWED):
            raise Wrong(f"session {self.sessions} ended with {process.returncode}: {said[-600:]!r}")

    @staticmethod
    def sleep(process, seconds):
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def until_it_writes(self, process):
        """A few moments after the output or the journal grew: in the middle of a commit, often."""
        before, end = self.written(), time.monotonic() + 0.5
        while process.poll() is None and self.written() == before and time.monotonic() < end:
            time.sleep(0.0002)
        self.sleep(process, self.chance.uniform(0, 0.004))

    def written(self):
        files = [self.folder / subjects.output(self.job), *self.folder.glob(".mpms/runs/*/journal.db*")]
        found = []
        for file in files:
            try:
                found.append((file.stat().st_size, file.stat().st_mtime_ns))
            except OSError:
                pass
        return found

    def strike(self, process, mark):
        if process.poll() is not None:
            return
        whom = self.chance.choices(("coordinator", "keeper", "worker", "all", "some"), (40, 12, 25, 10, 13))[0]
        found = processes.marked(mark)
        keepers, workers = processes.keeper(found), processes.workers(found)
        chosen = {
            "coordinator": [process.pid],
            "keeper": [one.pid for one in keepers],
            "worker": [one.pid for one in workers[:1]],
            "all": [process.pid, *(one.pid for one in keepers + workers)],
            "some": self.chance.sample([process.pid, *(one.pid for one in keepers + workers)], min(2, 1 + len(keepers + workers))),
        }[whom]
        self.chance.shuffle(chosen)
        processes.kill(*chosen)
        self.killed["coordinator"] += process.pid in chosen
        self.killed["keeper"] += any(one.pid in chosen for one in keepers)
        self.killed["workers"] += sum(one.pid in chosen for one in workers)

    def all_gone(self):
        for mark, until in self.gone_by:
            while left := processes.marked(mark):
                if time.monotonic() > until:
                    raise Wrong(f"alive {GONE} s after the end of their session: {left}")
                time.sleep(0.02)
        self.gone_by.clear()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--only", type=int, metavar="ROUND")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--mpms", help="the program; target/release/mpms unless said")
    parser.add_argument("--job", action="append", choices=subjects.USUAL, help="only this job (again for more)")
    parser.add_argument("--verbose", action="store_true", help="a line a round")
    arguments = parser.parse_args()
    command, base = subjects.program(arguments), Path(tempfile.mkdtemp(prefix="kill-"))
    print(f"kill: seed {arguments.seed}, {base}", flush=True)
    expected = {job: Subject(command, job).undisturbed(base / f"undisturbed-{job}") for job in arguments.job or subjects.USUAL}
    began, killed, wrong = time.monotonic(), {"coordinator": 0, "keeper": 0, "workers": 0}, 0

    def one(number):
        round_ = Round(number, arguments.seed, command, base / str(number), expected)
        try:
            return number, round_, round_.go(), None
        except Wrong as why:
            return number, round_, None, why

    numbers = [arguments.only] if arguments.only else range(1, arguments.rounds + 1)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for number, round_, line, why in pool.map(one, numbers):
            killed = {who: count + round_.killed[who] for who, count in killed.items()}
            if why:
                wrong += 1
                print(f"VIOLATION round {number}, {round_.job}, session {round_.sessions}: {why}\n          "
                      f"again: --seed {arguments.seed} --only {number}; folder {round_.folder}", flush=True)
                continue
            if arguments.verbose:
                print(f"round {number}: {line}", flush=True)
            shutil.rmtree(round_.folder)
    print(f"kill: {len(numbers)} rounds, killed {killed}, {wrong} violations; seed {arguments.seed}, {time.monotonic() - began:.1f} s")
    if not wrong:
        shutil.rmtree(base)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
