# front_aiohttp.py - front service on aiohttp, server and client: every kind. LOOP=uvloop takes that loop.
import os

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from asyncio_modes import Job, Modes


async def front(request):
    status, text = await request.app["modes"].run(
        Job(request.method, request.path, request.query_string, await request.read()))
    return web.Response(text=text, status=status)


async def client(app):
    sessions = {
        name: ClientSession(connector=connector, timeout=ClientTimeout(total=20))
        for name, connector in {
            "kept": TCPConnector(limit=0), "pool": TCPConnector(limit=4),
            "fresh": TCPConnector(limit=0, force_close=True, use_dns_cache=False)}.items()}

    async def send(method, url, body, connections):
        async with sessions[connections].request(method, url, data=body) as answer:
            await answer.read()
            return answer.status

    app["modes"] = Modes(send)
    yield
    await app["modes"].close()
    for session in sessions.values():
        await session.close()


if os.environ.get("LOOP") == "uvloop":
    import uvloop
    uvloop.install()
app = web.Application()
app.cleanup_ctx.append(client)
app.router.add_route("*", "/n/{seed}/{id}", front)
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, access_log=None, backlog=1024)
