"""http_scrapy.py URL COUNT IN_FLIGHT"""

import sys

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess

URL, COUNT, IN_FLIGHT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Pages(Spider):
    name = "pages"

    async def start(self):
        for _ in range(COUNT):
            yield Request(URL, dont_filter=True)

    def parse(self, response):
        assert response.status == 200


process = CrawlerProcess(
    {
        "CONCURRENT_REQUESTS": IN_FLIGHT,
        "CONCURRENT_REQUESTS_PER_DOMAIN": IN_FLIGHT,
        "DOWNLOAD_DELAY": 0,
        "LOG_LEVEL": "ERROR",
        "TELNETCONSOLE_ENABLED": False,
    }
)
process.crawl(Pages)
process.start()
