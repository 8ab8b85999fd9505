# front_asgi.py - front service on uvicorn and FastAPI, calling with httpx: every kind. LOOP=asyncio|uvloop.
import os

import httpx
import uvicorn
from asyncio_modes import Job, Modes
from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.on_event("startup")
async def begin():
    clients = {
        name: httpx.AsyncClient(limits=limits, timeout=20)
        for name, limits in {
            "kept": httpx.Limits(max_connections=None),
            "pool": httpx.Limits(max_connections=4),
            "fresh": httpx.Limits(max_connections=None, max_keepalive_connections=0)}.items()}

    async def send(method, url, body, connections):
        return (await clients[connections].request(method, url, content=body)).status_code

    app.state.modes = Modes(send)


@app.api_route("/n/{seed}/{number}", methods=["GET", "POST"])
async def front(request: Request):
    status, text = await app.state.modes.run(
        Job(request.method, request.url.path, request.url.query, await request.body()))
    return Response(text, status)


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), loop=os.environ.get("LOOP", "asyncio"),
            log_level="warning", backlog=1024, timeout_keep_alive=30)
