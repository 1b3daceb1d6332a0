"""The same documents as json.lua makes."""

import gc
import sys

sys.path.pop(0)  # this folder has a file of the same name
import json
import time


def best(name, work):
    least = float("inf")
    for _ in range(5):
        gc.collect()
        start = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - start)
    print(f"{name} {least:.6f}")


records = [
    {
        "id": i * 7919,
        "name": f"customer number {i}",
        "email": f"user{i}@example.org",
        "active": i % 3 == 0,
        "balance": i * 1.37,
        "tags": ["alpha", "beta", f"tag{i % 50}"],
        "address": {"street": f"{i} Main Street", "city": "Zürich", "zip": str(8000 + i % 100)},
        "note": 'said "hello"\nand left' if i % 5 == 0 else None,
    }
    for i in range(1, 20001)
]
numbers = [i if i % 2 == 0 else i / 7 for i in range(1, 400001)]
strings = [f"a string of some words, number {i}" for i in range(1, 200001)]

for name, value in (("records", records), ("numbers", numbers), ("strings", strings)):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    best(f"{name} decode", lambda: json.loads(text))
    best(f"{name} encode", lambda: json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    best(f"{name} encode sorted", lambda: json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True))

with open("lines.jsonl", "w", encoding="utf-8") as file:
    for record in records:
        file.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")


def by_lines():
    with open("lines.jsonl", encoding="utf-8") as file:
        return sum(json.loads(line)["id"] for line in file)


best("records by lines", by_lines)
