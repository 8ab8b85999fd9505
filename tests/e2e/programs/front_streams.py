# front_streams.py - front service on asyncio alone, by its streams: one task a connection. Kinds: seq, par and below.
import asyncio
import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

BACKEND = urlsplit(os.environ["BACKEND"])
WAIT = os.environ.get("WAIT")
idle = []  # connections to the backend
locks = []
late = set()


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return head[0].split(" "), fields


async def call(target):
    reader, writer = idle.pop() if idle else await asyncio.open_connection(BACKEND.hostname, BACKEND.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: backend\r\n\r\n".encode())
    line, fields = await read_head(reader)
    await reader.readexactly(int(fields.get("content-length", 0)))
    if fields.get("connection") == "close":
        writer.close()
    else:
        idle.append((reader, writer))
    return int(line[1])


def start(coroutine):
    """A task that is kept until it is done."""
    task = asyncio.get_running_loop().create_task(coroutine)
    late.add(task)
    task.add_done_callback(late.discard)
    return task


async def one(mode, target):
    loop = asyncio.get_running_loop()
    if mode == "timer":
        await asyncio.sleep(0.003)
    elif mode == "later":
        done = loop.create_future()
        loop.call_later(0.002, lambda: start(call(target)).add_done_callback(lambda task: done.set_result(task.result())))
        return await done
    elif mode == "lock":
        async with locks[0]:
            await asyncio.sleep(0)
            return await call(target)
    elif mode == "executor":
        # In a loop of the thread's own.
        return await loop.run_in_executor(pool, functools.partial(asyncio.run, fresh(target)))
    elif mode == "background":
        start(background(target))
        return 200
    return await call(target)


async def background(target):
    await asyncio.sleep(0.03)
    return await call(target)


async def fresh(target):
    reader, writer = await asyncio.open_connection(BACKEND.hostname, BACKEND.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n".encode())
    line, _ = await read_head(reader)
    writer.close()
    return int(line[1])


async def serve(reader, writer):
    task = asyncio.current_task()  # which nobody else keeps until Python 3.10
    late.add(task)
    try:
        while True:
            # Until Python 3.12 this reads in a task of its own.
            (_, target, _), fields = await asyncio.wait_for(read_head(reader), 60 if WAIT else None)
            await reader.readexactly(int(fields.get("content-length", 0)))
            url = urlsplit(target)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            targets = [f"{url.path}.{k + 1}?{url.query}" for k in range(int(query.get("calls", 1)))]
            mode = query.get("mode")
            if mode == "par":
                results = await asyncio.gather(*map(call, targets))
            else:
                results = [await one(mode, each) for each in targets]
            status = "502 Bad" if any(each >= 400 for each in results) else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        late.discard(task)
        writer.close()


async def main():
    locks.append(asyncio.Lock())
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=512)
    await server.serve_forever()


pool = ThreadPoolExecutor(8)
if os.environ.get("LOOP") == "uvloop":
    import uvloop
    uvloop.install()
if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
