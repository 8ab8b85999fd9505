# front_asgi.py - front service on uvicorn and httpx, without a framework. LOOP=asyncio|uvloop, HTTP=h11|httptools.
import os

import httpx
import uvicorn

clients = []


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
        results.append((await clients[0].get(f"{os.environ['BACKEND']}{scope['path']}.{k + 1}?{query}")).status_code)
    await send({"type": "http.response.start", "status": 502 if any(each >= 400 for each in results) else 200,
                "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), loop=os.environ.get("LOOP", "asyncio"),
            http=os.environ.get("HTTP", "auto"), log_level="warning", lifespan="off")
