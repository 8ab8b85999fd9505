# front_asgi.py - front service on uvicorn and httpx, without a framework. LOOP=asyncio|uvloop, HTTP=h11|httptools.
import os
import urllib.error
import urllib.request

import anyio
import httpx
import uvicorn

clients = []


def blocking(url):
    """As a framework's synchronous handlers do, in a thread of its pool."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


async def call(url, query):
    if "mode=pool" in query:
        return await anyio.to_thread.run_sync(blocking, url)
    return (await clients[0].get(url)).status_code


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    if not clients:
        clients.append(httpx.AsyncClient(limits=httpx.Limits(max_connections=8), timeout=20))
    query = scope["query_string"].decode()
    results = []
    for k in range(int(query.split("calls=")[1][0])):
        results.append(await call(f"{os.environ['BACKEND']}{scope['path']}.{k + 1}?{query}", query))
    await send({"type": "http.response.start", "status": 502 if any(each >= 400 for each in results) else 200,
                "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), loop=os.environ.get("LOOP", "asyncio"),
            http=os.environ.get("HTTP", "auto"), log_level="warning", lifespan="off")
