"""http_requests.py URL COUNT: 50 threads with a session each."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import requests

own = threading.local()


def get(url):
    session = getattr(own, "session", None)
    if session is None:
        session = own.session = requests.Session()
    response = session.get(url)
    assert response.status_code == 200
    return len(response.content)


with ThreadPoolExecutor(50) as pool:
    sum(pool.map(get, [sys.argv[1]] * int(sys.argv[2])))
