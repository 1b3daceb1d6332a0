# Packing and unpacking: the same as gzip.lua.
import sys

# this folder, where a file is called gzip.py
sys.path = [path for path in sys.path if not path.endswith("/library")]

import gzip
import tempfile
import time


def best(name, work):
    least = float("inf")
    for _ in range(5):
        begun = time.monotonic()
        work()
        least = min(least, time.monotonic() - begun)
    print(f"{name} {least:.6f}")


text = "".join(
    "2026-11-22 10:%02d:%02d GET /page/%d?q=%d 200 %d\n" % (i % 60, i * 7 % 60, i * 31 % 997, i, i * i % 65521)
    for i in range(1, 300001)
).encode()
packed = gzip.compress(text, 6)
small = text[:1000]


def many_small():
    for _ in range(5000):
        gzip.decompress(gzip.compress(small, 6))


directory = tempfile.TemporaryDirectory()
path = directory.name + "/log.gz"
with open(path, "wb") as file:
    file.write(packed)


def lines():
    count = 0
    with gzip.open(path) as file:
        for line in file:
            if line.rstrip(b"\n"):
                count += 1
    assert count == 300000


best("gzip-level-6", lambda: gzip.compress(text, 6))
best("gzip-level-1", lambda: gzip.compress(text, 1))
best("gunzip", lambda: gzip.decompress(packed))
best("gzip-small-5000", many_small)
best("gzip-lines", lines)
