"""http_aiohttp.py URL COUNT: 50 requests in flight."""

import asyncio
import sys

import aiohttp


async def main(url, count):
    left = iter(range(count))
    connector = aiohttp.TCPConnector(limit=50)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one_of_many():
            for _ in left:
                async with session.get(url) as response:
                    assert response.status == 200
                    await response.read()

        await asyncio.gather(*(one_of_many() for _ in range(50)))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
