"""The work of jobs/html.toml with parsel, the selectors of Scrapy."""

import sys
import time
from pathlib import Path

from parsel import Selector


def main(folder, seconds):
    texts = [path.read_text() for path in sorted(Path(folder).glob("*.html"))]
    parsing = selecting = 0.0
    rounds = 0
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        rounds += 1
        found = 0
        for text in texts:
            at = time.monotonic()
            page = Selector(text)
            parsed = time.monotonic()
            parsing += parsed - at
            for item in page.css("article.product"):
                found += len(item.css("h3 > a::text").get("")) + len(item.css("a::attr(href)").get(""))
                found += len(item.css("p.price::text").getall()) + len(item.css("ul.tags > li:nth-child(2)::text").get(""))
            found += len(page.css("a::attr(href)").getall()) + len(page.css("div p::text, h1::text").getall())
            selecting += time.monotonic() - parsed
    n = rounds * len(texts)
    print(f"pages {n} found {found} parse {parsing / n * 1e6:.1f} select {selecting / n * 1e6:.1f} us")


main(sys.argv[1], float(sys.argv[2]))
