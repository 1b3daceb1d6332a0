"""http_aiohttp.py URL COUNT IN_FLIGHT"""

import asyncio
import sys

import aiohttp


async def main(url, count, in_flight):
    left = iter(range(count))
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one_of_many():
            for _ in left:
                async with session.get(url) as response:
                    assert response.status == 200
                    await response.read()

        await asyncio.gather(*(one_of_many() for _ in range(in_flight)))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
