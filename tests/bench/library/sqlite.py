# Rows in and out of a database: the same as sqlite.lua.
import sqlite3
import tempfile
import time

directory = tempfile.TemporaryDirectory()


def best(name, work):
    print(f"{name} {min(work() for _ in range(5)):.6f}")


rows = [{"id": i, "name": f"name {i}", "size": i * 7 % 1001, "ratio": i / 3} for i in range(1, 100001)]
number = 0


def fresh():
    global number
    number += 1
    db = sqlite3.connect(f"{directory.name}/{number}.db")
    db.row_factory = lambda cursor, row: {column[0]: value for column, value in zip(cursor.description, row)}
    db.execute("PRAGMA journal_mode = wal")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, size INTEGER, ratio REAL)")
    db.commit()
    return db


def insert_many():
    db = fresh()
    begun = time.monotonic()
    with db:
        db.executemany("INSERT INTO t (id, name, size, ratio) VALUES (:id, :name, :size, :ratio)", rows)
    seconds = time.monotonic() - begun
    db.close()
    return seconds


best("sqlite-insert-many", insert_many)

db = fresh()
with db:
    db.executemany("INSERT INTO t (id, name, size, ratio) VALUES (:id, :name, :size, :ratio)", rows)


def select_all():
    begun = time.monotonic()
    found = db.execute("SELECT id, name, size, ratio FROM t").fetchall()
    assert len(found) == 100000 and found[-1]["id"] == 100000
    return time.monotonic() - begun


def loop():
    begun, total = time.monotonic(), 0
    for row in db.execute("SELECT id, name, size, ratio FROM t"):
        total += row["size"]
    assert total > 0
    return time.monotonic() - begun


def point_select():
    begun = time.monotonic()
    for i in range(1, 20001):
        row = db.execute("SELECT name, size FROM t WHERE id = ?", (i,)).fetchone()
        assert row["size"] == i * 7 % 1001
    return time.monotonic() - begun


def insert_single():
    db = fresh()
    begun = time.monotonic()
    with db:
        for i in range(1, 20001):
            db.execute("INSERT INTO t VALUES (?, ?, ?, ?)", (i, "name", i, 0.5))
    seconds = time.monotonic() - begun
    db.close()
    return seconds


best("sqlite-select-all", select_all)
best("sqlite-loop", loop)
best("sqlite-point-select", point_select)
best("sqlite-insert-single", insert_single)
