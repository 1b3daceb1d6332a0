"""Pages to select on: lists of a shop, as large as real ones, the same in every run."""

import random
import tempfile
from contextlib import contextmanager
from pathlib import Path

WORDS = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore".split()


@contextmanager
def folder():
    """A folder of 20 pages with 20 to 200 products each, 20 to 170 KB."""
    with tempfile.TemporaryDirectory() as name:
        numbers = random.Random(7)
        for number in range(20):
            Path(name, f"{number:02}.html").write_text(page(numbers, 20 + number * 10))
        yield name


def page(numbers, products):
    def words(count):
        return " ".join(numbers.choice(WORDS) for _ in range(count))

    items = []
    for number in range(products):
        tags = "".join(f"<li>{words(1)}</li>" for _ in range(3))
        items.append(f"""
  <article class="product pod {words(1)}" data-id="{number}">
    <div class="image"><a href="/item/{number}?ref=list&amp;p={number}"><img src="/img/{number}.jpg" alt="{words(3)}"></a></div>
    <h3><a href="/item/{number}" title="{words(4)}">{words(5)} &amp; {number}</a></h3>
    <div class="body"><p class="price">&pound;{numbers.random() * 100:.2f}</p><p>{words(30)}</p>
      <ul class="tags">{tags}</ul><form method=post action="/cart"><button type=submit>Add</button></form></div>
  </article>""")
    links = "".join(f'<li class="nav"><a href="/category/{n}">{words(2)}</a></li>' for n in range(50))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{words(4)}</title>
<script>var settings = {{"a": [1, 2, 3], "b": "<b>{words(20)}</b>"}};</script><style>.product {{ float: left }}</style></head>
<body><header><h1>{words(3)}</h1><nav><ul>{links}</ul></nav></header>
<main><section>{"".join(items)}</section></main><footer><p>{words(40)}</footer></body></html>
"""
