"""What is measured: the same work for mpms and for each peer that is installed."""

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
JOBS = HERE / "jobs"
PEERS = HERE / "peers"
PYTHON = HERE / ".venv/bin/python"
UNDICI = PEERS / "node_modules/undici"


@dataclass
class Case:
    """A command and the number of tasks in it."""

    name: str
    command: list
    count: int
    target: str = ""
    #: The case of the same group whose CPU time this one is divided by.
    beside: str = ""
    #: Reads the tasks a second from what the command prints.
    rate: object = None
    #: Whether the run keeps a journal, whose size is told.
    journal: bool = False


class Suite:
    def __init__(self, mpms, quick):
        self.mpms = mpms
        self.part = 10 if quick else 1

    def job(self, file, *flags, journal=False):
        keep = [] if journal else ["--no-journal"]
        return [self.mpms, "run", JOBS / f"{file}.toml", "--progress", "none", *keep, *map(str, flags)]

    def count(self, whole):
        return max(whole // self.part, 1)

    def ranged(self, name, whole, *flags, file="integers", journal=False, **more):
        count = self.count(whole)
        command = self.job(file, "--set", f"tasks.range=[1,{count}]", *flags, journal=journal)
        return Case(name, command, count, journal=journal, **more)

    def param(self, name, file, whole, *flags, journal=False, **more):
        count = self.count(whole)
        return Case(name, self.job(file, "-p", f"n={count}", *flags, journal=journal), count, journal=journal, **more)

    def python(self, name, tool, kind, whole):
        count = self.count(whole)
        return Case(name, [PYTHON, PEERS / "tasks.py", tool, kind, str(count)], count)

    def integers(self):
        yield self.param("loop in one Lua state", "integers_loop", 2_000_000)
        yield self.ranged("**mpms**", 2_000_000, target="≥ 1,500,000/s; CPU ≤ 1.5× loop", beside="loop in one Lua state")
        yield self.ranged("**mpms**, 2 × 4 threads", 2_000_000, "--threads", 4)
        yield self.param("**mpms**, generated in Lua", "generated", 1_000_000)
        yield self.param("**mpms**, generated, 10,000", "generated", 10_000 * self.part)
        yield self.param("**mpms**, generated, 10,000,000", "generated", 10_000_000, target="≤ 100 MB; cost as at 10^4")
        yield self.param("**mpms**, each put by the handler after the last", "chain", 200_000, target="≤ 100 MB")
        yield self.param("**mpms**, all put by one call of the handler", "burst", 1_000_000, target="≤ 100 MB")
        yield self.python("Python mpms, 2 × 4 threads", "mpms", "integers", 200_000)
        yield self.python("`Pool.apply_async`", "apply_async", "integers", 200_000)
        yield self.python("`ProcessPoolExecutor`", "executor", "integers", 200_000)
        yield self.python("`imap_unordered`, chunksize 1", "imap1", "integers", 200_000)
        yield self.python("`imap_unordered`, chunksize 256", "imap256", "integers", 2_000_000)
        yield self.python("loop in one Python", "loop", "integers", 2_000_000)

    def journal(self):
        """Each work with the journal and without it."""
        for kept in (True, False):
            kind = "**mpms**, " + ("journal" if kept else "no journal")
            target = (lambda text: text) if kept else (lambda text: "")
            yield self.ranged(f"{kind}, integers", 2_000_000, journal=kept, target=target("≥ 400,000/s"))
            yield self.ranged(f"{kind}, tasks of 0.1 ms", 40_000, file="work", journal=kept, target=target("≤ 1.5×"))
            flags = ["-p", "rows=10000" if kept else "rows=10"]
            name = "journal, `meta` of 1 MB" if kept else "journal, small `meta`"
            yield self.ranged(f"**mpms**, {name}", 50_000, *flags, file="large_meta", journal=True, target=target("≤ 1.2×"))
            yield self.param(f"{kind}, generated in Lua, 10,000,000", "generated", 10_000_000, journal=kept, target="≤ 100 MB")
            yield self.param(f"{kind}, each put by the handler after the last", "chain", 200_000, journal=kept, target="≤ 100 MB")
            yield self.param(f"{kind}, all put by one call of the handler", "burst", 1_000_000, journal=kept, target="≤ 100 MB")
        yield Case("**mpms**, journal, one task", self.job("one", journal=True), 1, target="≤ 15 ms", journal=True)

    def records(self):
        yield self.param("loop in one Lua state", "records_loop", 500_000)
        yield self.param("**mpms**", "records", 500_000, target="≥ 400,000/s; CPU ≤ 2.5× loop", beside="loop in one Lua state")
        yield self.python("Python mpms, 2 × 4 threads", "mpms", "records", 50_000)
        yield self.python("`imap_unordered`, chunksize 1", "imap1", "records", 50_000)
        yield self.python("`imap_unordered`, chunksize 256", "imap256", "records", 500_000)

    def strings(self):
        yield self.param("**mpms**", "strings", 100_000, target="≥ 50,000/s")
        yield self.python("Python mpms, 2 × 4 threads", "mpms", "strings", 20_000)
        yield self.python("`imap_unordered`, chunksize 1", "imap1", "strings", 50_000)
        yield self.python("`imap_unordered`, chunksize 256", "imap256", "strings", 50_000)

    def commands(self):
        count = self.count(2000)
        yield self.ranged("**mpms**, `command`", 2000, file="command")
        yield Case("`xargs -P2`", ["sh", "-c", f"seq {count} | xargs -P2 -n1 true"], count)
        if shutil.which("parallel"):
            few = self.count(500)
            yield Case("GNU parallel", ["sh", "-c", f"seq {few} | parallel -j2 true"], few)

    def one(self):
        yield Case("**mpms**", self.job("one"), 1, target="≤ 15 ms")
        yield Case("`xargs`", ["sh", "-c", "echo 1 | xargs -P2 -n1 true"], 1)
        if lua := shutil.which("lua5.4"):
            yield Case("bare `lua`", [lua, "-e", "print(1)"], 1)
        for name, tool in [("`Pool.imap_unordered`", "imap1"), ("`ProcessPoolExecutor`", "executor"), ("Python mpms", "mpms")]:
            yield Case(name, [PYTHON, PEERS / "tasks.py", tool, "integers", "1"], 1)

    def delayed(self, url):
        count = self.count(20_000)
        few = self.count(2_000)
        flags = ["-p", f"url={url}", "--processes", 2, "--threads", 1, "--coroutines", 500]
        target = "≥ 8,000/s; ≤ 100 µs; ≤ 60 MB"
        yield self.param("**mpms**, 2 × 1 × 500 coroutines", "http", 20_000, *flags, target=target)
        flags = ["-p", f"url={url}", "--processes", 1, "--threads", 1, "--coroutines", 1000]
        yield self.param("**mpms**, 1 × 1 × 1,000 coroutines", "http", 20_000, *flags)
        yield Case("aiohttp, 1,000 in flight", [PYTHON, PEERS / "http_aiohttp.py", url, str(count), "1000"], count)
        if UNDICI.exists():
            yield Case("Node undici, 1,000 in flight", ["node", PEERS / "http_undici.mjs", url, str(count), "1000"], count)
        yield Case("Scrapy, 1,000 in flight", [PYTHON, PEERS / "http_scrapy.py", url, str(few), "1000"], few)
        if curl := shutil.which("curl"):
            glob = f"{url}?[1-{count}]"
            yield Case("`curl -Z`, 1,000 in flight", [curl, "-sZ", "--parallel-max", "1000", "-o", "/dev/null", glob], count)
        if wrk := shutil.which("wrk"):
            command = [wrk, "-t2", "-c1000", "-d3s", url]
            yield Case("`wrk`, 1,000 connections", command, 0, rate=requests_a_second)

    def http(self, url):
        count = self.count(20_000)
        few = self.count(5_000)
        for processes, threads in [(5, 10), (2, 25)]:
            flags = ["-p", f"url={url}", "--processes", processes, "--threads", threads]
            yield self.param(f"**mpms**, {processes} × {threads} threads", "http", 20_000, *flags, target="≥ 20,000/s; ≤ 50 µs")
        flags = ["-p", f"url={url}", "--processes", 2, "--threads", 1, "--coroutines", 25]
        yield self.param("**mpms**, 2 × 1 × 25 coroutines", "http", 20_000, *flags, target="≥ 20,000/s; ≤ 50 µs")
        yield Case("aiohttp, 50 in flight", [PYTHON, PEERS / "http_aiohttp.py", url, str(count), "50"], count)
        if UNDICI.exists():
            yield Case("Node undici, 50 in flight", ["node", PEERS / "http_undici.mjs", url, str(count), "50"], count)
        yield Case("Scrapy, 50 in flight", [PYTHON, PEERS / "http_scrapy.py", url, str(few // 5), "50"], few // 5)
        yield Case("requests, 50 threads", [PYTHON, PEERS / "http_requests.py", url, str(few)], few)
        if curl := shutil.which("curl"):
            glob = f"{url}?[1-{count}]"
            yield Case("`curl -Z`, 50 in flight", [curl, "-sZ", "--parallel-max", "50", "-o", "/dev/null", glob], count)
        if wrk := shutil.which("wrk"):
            yield Case("`wrk`, 50 connections", [wrk, "-t2", "-c50", "-d2s", url], 0, rate=requests_a_second)

    def html(self, folder, parsing):
        seconds = 4.0 / self.part + 1
        rate = pages_a_second if parsing else selects_a_second
        yield Case("**mpms**", self.job("html", "-p", f"pages={folder}", "-p", f"seconds={seconds}"), 0, rate=rate)
        yield Case("parsel (lxml)", [PYTHON, PEERS / "html_parsel.py", folder, str(seconds)], 0, rate=rate)


def times(output):
    """Microseconds that a page took to parse and to select on."""
    return map(float, re.search(r"parse ([\d.]+) select ([\d.]+)", output).groups())


def pages_a_second(output):
    return 1e6 / sum(times(output))


def selects_a_second(output):
    _, select = times(output)
    return 1e6 / select


def requests_a_second(output):
    return float(re.search(r"Requests/sec:\s*([\d.]+)", output).group(1))


def setup():
    """Makes the peers' environment, once; needs the package index then."""
    import subprocess

    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", HERE / ".venv"], check=True)
        subprocess.run([PYTHON, "-m", "pip", "-q", "install", "-r", HERE / "requirements.txt"], check=True)
    if not UNDICI.exists() and shutil.which("npm"):
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", PEERS, "undici@6"], check=True)
