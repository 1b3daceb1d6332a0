"""The same documents as toml_xml.lua makes."""

import gc
import sys

sys.path.pop(0)  # this folder has files named as modules
import time
import tomllib
import xml.etree.ElementTree as tree


def best(name, work):
    least = float("inf")
    for _ in range(5):
        gc.collect()
        start = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - start)
    print(f"{name} {least:.6f}")


text = "\n".join(
    f'[[item]]\nid = {i}\nname = "item {i}"\nprice = {i}.5\nday = 2026-11-22\nsizes = [1, 2, 3]\n' for i in range(1, 5001)
)
best("toml decode", lambda: tomllib.loads(text))

items = (f'<item id="{i}"><name>item &amp; {i}</name><price>{i}.5</price></item>' for i in range(1, 20001))
document = "\n".join(["<list>", *items, "</list>"])
with open("list.xml", "w", encoding="utf-8") as file:
    file.write(document)
best("xml decode", lambda: tree.fromstring(document))


def events():
    assert sum(1 for event, _ in tree.iterparse("list.xml", ("start", "end")) if event == "start") == 60001


best("xml events", events)
