"""The same as time.lua."""
import datetime
import random
import time
import zoneinfo


def best(name, f):
    least = float("inf")
    for _ in range(5):
        began = time.monotonic()
        f()
        least = min(least, time.monotonic() - began)
    print(f"{name} {least:.6f}")


utc = datetime.timezone.utc
texts = [
    datetime.datetime.fromtimestamp(1700000000 + n * 977, utc).isoformat().replace("+00:00", "Z")
    for n in range(1, 100001)
]
start = datetime.datetime(2024, 1, 31, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
items = list(range(1, 100001))


def parse_iso():
    total = 0
    for text in texts:
        total += datetime.datetime.fromisoformat(text).timestamp()
    return total


def parse_format():
    for _ in range(50000):
        datetime.datetime.strptime("31.12.2026 18:00:05", "%d.%m.%Y %H:%M:%S")


def text():
    for _ in range(100000):
        start.strftime("%Y-%m-%d %H:%M:%S")


def add_days():
    for n in range(1, 100001):
        start + datetime.timedelta(days=n % 1000)


def random_float():
    total = 0
    for _ in range(1000000):
        total += random.random()
    return total


def random_int():
    total = 0
    for _ in range(1000000):
        total += random.randint(1, 6)
    return total


def shuffle():
    random.shuffle(items)


def sample():
    for _ in range(1000):
        random.sample(items, 100)


best("parse_iso", parse_iso)
best("parse_format", parse_format)
best("format", text)
best("add_days", add_days)
best("random_float", random_float)
best("random_int", random_int)
best("shuffle", shuffle)
best("sample", sample)
