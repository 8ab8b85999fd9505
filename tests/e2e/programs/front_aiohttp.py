# front_aiohttp.py - front service on aiohttp, server and client. Kinds: seq, par. LOOP=uvloop takes that loop.
import asyncio
import os
import ssl

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def front(request):
    session = request.app["session"]
    body = await request.read()

    async def call(i):
        url = f"{os.environ['BACKEND']}{request.path}.{i}?{request.query_string}"
        async with session.request(request.method, url, data=body or None) as answer:
            await answer.read()
            return answer.status

    numbers = range(1, int(request.query.get("calls", 1)) + 1)
    if request.query.get("mode") == "par":
        results = await asyncio.gather(*map(call, numbers))
    else:
        results = [await call(i) for i in numbers]
    status = 502 if any(one >= 400 for one in results) else 200
    return web.Response(text=" ".join(map(str, results)), status=status)


async def client(app):
    app["session"] = ClientSession(connector=TCPConnector(limit=64), timeout=ClientTimeout(total=20))
    yield
    await app["session"].close()


if os.environ.get("LOOP") == "uvloop":
    import uvloop
    uvloop.install()
app = web.Application()
app.cleanup_ctx.append(client)
app.router.add_route("*", "/n/{trace}/{node}", front)
if "CERTIFICATE" in os.environ:
    encrypted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    encrypted.load_cert_chain(os.environ["CERTIFICATE"])
else:
    encrypted = None
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, access_log=None,
            ssl_context=encrypted)
