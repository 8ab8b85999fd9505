# front_threads.py - front service on Flask that hands its calls to a pool of threads, or to loops of asyncio. For gunicorn.
import asyncio
import os
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, request

app = Flask(__name__)
pool = ThreadPoolExecutor(8)


def call(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


async def call_soon(url):
    await asyncio.sleep(0.002)
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(None, call, url)
    return first if first >= 400 else await asyncio.to_thread(lambda: 200)


async def together(urls):
    return await asyncio.gather(*map(call_soon, urls))


@app.route("/n/<trace>/<node>", methods=["GET", "POST"])
def front(trace, node):
    query = request.query_string.decode()
    urls = [f"{os.environ['BACKEND']}{request.path}.{i + 1}?{query}" for i in range(int(request.args.get("calls", 1)))]
    mode = request.args.get("mode")
    if mode == "pool":
        results = list(pool.map(call, urls))
    elif mode == "par":
        results = asyncio.run(together(urls))
    else:
        results = [call(url) for url in urls]
    return " ".join(map(str, results)), 502 if any(status >= 400 for status in results) else 200
