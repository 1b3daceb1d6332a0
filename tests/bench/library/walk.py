"""The same tree as walk.lua makes: 20 000 files in 420 folders, and one long file."""

import fnmatch
import gc
import glob
import os
import subprocess
import tempfile
import time


def best(name, work):
    least = float("inf")
    for _ in range(5):
        gc.collect()
        start = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - start)
    print(f"{name} {least:.6f}")


for a in range(20):
    for b in range(20):
        folder = f"tree/a{a:02d}/b{b:02d}"
        os.makedirs(folder, exist_ok=True)
        for c in range(50):
            with open(f"{folder}/file{c:02d}.{'txt' if c % 5 == 0 else 'dat'}", "w", encoding="utf-8"):
                pass
with open("long", "w", encoding="utf-8") as file:
    file.write("".join(f"line number {i}\n" for i in range(1, 500001)))
with open("small", "w", encoding="utf-8") as file:
    file.write("x" * 100)


def files():
    """In the order of their names, as fs.walk gives them."""
    for folder, folders, names in os.walk("tree"):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(folder, name)


def walk_all():
    assert sum(1 for _ in files()) == 20000


def walk_by_pattern():
    assert sum(1 for path in files() if fnmatch.fnmatch(os.path.basename(path), "*.txt")) == 4000


def by_glob():
    assert len(sorted(glob.glob("tree/**/*.txt", recursive=True))) == 4000


def listed():
    for a in range(20):
        for b in range(20):
            assert len(sorted(os.listdir(f"tree/a{a:02d}/b{b:02d}"))) == 50


def stat():
    for _ in range(20000):
        assert os.stat("small").st_size == 100


def read_small():
    for _ in range(20000):
        with open("small", "rb") as one:
            assert len(one.read()) == 100


def write_small():
    for _ in range(200):
        with tempfile.NamedTemporaryFile(dir=".", delete=False) as one:
            one.write(b"some words")
        os.replace(one.name, "written")


def lines():
    with open("long", "rb") as one:
        assert sum(len(line) - 1 for line in one) == 8888895


def run_true():
    for _ in range(100):
        subprocess.run(["true"], capture_output=True, check=True)


def through_cat():
    data = b"0123456789abcdef" * 1000000
    assert len(subprocess.run(["cat"], input=data, capture_output=True, check=True).stdout) == len(data)


def find():
    done = subprocess.run(["find", "tree", "-type", "f"], capture_output=True, check=True)
    assert len(done.stdout) > 400000


best("walk all", walk_all)
best("walk by pattern", walk_by_pattern)
best("glob", by_glob)
best("list", listed)
best("stat", stat)
best("read small files", read_small)
best("write small files", write_small)
best("lines of a file", lines)
best("run true", run_true)
best("16 MB through cat", through_cat)
best("find", find)
