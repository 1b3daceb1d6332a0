"""The peers' side of the same work: tasks.py TOOL KIND COUNT"""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool

total = 0


def worker(task):
    return task


def record_worker(task):
    return {name: task[name] for name in ("id", "name", "url", "score", "ok")}


def measure(result):
    if isinstance(result, Exception):
        raise result
    return result if isinstance(result, int) else len(result) if isinstance(result, str) else result["id"]


def handler(result):
    global total
    total += measure(result)


def record(i):
    return {"id": i, "name": f"name{i}", "url": f"https://example.com/{i}", "score": i * 0.5, "ok": True}


def tasks(kind, count):
    # all different, as a pickle holds the same object once
    text = "x" * (16 * 1024 - 16)
    make = {"integers": lambda i: i, "records": record, "strings": lambda i: f"{i:016}{text}"}[kind]
    return (make(i) for i in range(1, count + 1))


def python_mpms(work, items):
    from mpms import MPMS

    pool = MPMS(work, lambda _, result: handler(result), processes=2, threads=4)
    pool.start()
    for item in items:
        pool.put(item)
    pool.join()


def apply_async(work, items):
    with Pool(2) as pool:
        for item in items:
            pool.apply_async(work, (item,), callback=handler)
        pool.close()
        pool.join()


def executor(work, items):
    with ProcessPoolExecutor(2) as pool:
        for item in items:
            pool.submit(work, item).add_done_callback(lambda future: handler(future.result()))


def imap(chunk):
    def run(work, items):
        with Pool(2) as pool:
            for result in pool.imap_unordered(work, items, chunk):
                handler(result)

    return run


def loop(work, items):
    for item in items:
        handler(work(item))


TOOLS = {
    "mpms": python_mpms,
    "apply_async": apply_async,
    "executor": executor,
    "imap1": imap(1),
    "imap256": imap(256),
    "loop": loop,
}

if __name__ == "__main__":
    tool, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    TOOLS[tool](record_worker if kind == "records" else worker, tasks(kind, count))
    sum_of_integers = count * (count + 1) // 2
    expected = count * 16 * 1024 if kind == "strings" else sum_of_integers
    assert total == expected, f"{tool} handled {total}, not {expected}"
