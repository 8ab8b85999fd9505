# asyncio_modes.py - every kind of kinds.py on asyncio, for the servers that share this folder.
import asyncio
import contextvars
import functools
import os
import re
import threading
import time
import urllib.error
import urllib.request

import asyncpg
import redis.asyncio as aioredis

BACKEND = os.environ["BACKEND"]


class Job:
    """A request, as its server tells of it."""

    def __init__(self, method, path, query, body):
        self.method, self.path, self.query, self.body = method, path, query, body or None
        found = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        self.calls = int(found.get("calls", 1))
        self.mode = found.get("mode", "seq")

    def url(self, k, base=BACKEND):
        return f"{base}{self.path}.{k}?{self.query}"

    def name(self, k):
        return f"{self.path[3:]}.{k}"


def blocking(job, k):
    try:
        with urllib.request.urlopen(urllib.request.Request(job.url(k), job.body, method=job.method)) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 599


class Modes:
    """send(method, url, body, connections) makes an HTTP call over "kept", "pool" or "fresh" connections."""

    def __init__(self, send):
        self.send = send
        self.queue = asyncio.Queue()
        self.databases = {}
        self.locks = {}
        self.loop = asyncio.get_running_loop()
        self.worker = self.loop.create_task(self.work())
        self.other = None

    async def close(self):
        self.worker.cancel()

    async def call(self, job, k, connections="kept", base=BACKEND):
        try:
            return await self.send(job.method, job.url(k, base), job.body, connections)
        except Exception:  # each client has its own; a call that fails is not the end of the request
            return 599

    # ---- an in-process queue with one worker

    async def work(self):
        while True:
            task, context, done = await self.queue.get()
            # The call is made in the context that came with the job, or in the worker's own.
            result = await (context.run(self.loop.create_task, task()) if context else task())
            done.set_result(result)

    async def enqueue(self, task, context=None):
        done = self.loop.create_future()
        self.queue.put_nowait((task, context, done))
        return await done

    # ---- what is started on first use

    async def database(self, name, connect):
        lock = self.locks.setdefault(name, asyncio.Lock())
        async with lock:
            if name not in self.databases:
                # In no request's context: it serves all of them.
                self.databases[name] = await contextvars.Context().run(self.loop.create_task, connect())
        return self.databases[name]

    async def postgres(self, job, k):
        pool = await self.database("postgres", lambda: self.connect_postgres())
        alias = "id_" + re.sub(r"\W", "_", job.name(k))
        if k % 2:
            await pool.fetchval(f"SELECT 1 AS {alias}")
        else:
            await pool.fetchval(f"SELECT $1::text AS {alias}", "x")
        return 200

    @staticmethod
    async def connect_postgres():
        return await asyncpg.create_pool(os.environ["POSTGRES"], min_size=4, max_size=4, ssl=False)

    async def redis(self, job, k, connections):
        client = await self.database(f"redis-{connections}", lambda: self.connect_redis(connections))
        await client.get(f"n:{job.name(k)}")
        return 200

    @staticmethod
    async def connect_redis(connections):
        pool = aioredis.BlockingConnectionPool.from_url(os.environ["REDIS"], max_connections=connections, timeout=20)
        return aioredis.Redis(connection_pool=pool)

    def other_loop(self):
        if not self.other:
            self.other = asyncio.new_event_loop()
            threading.Thread(target=self.other.run_forever, daemon=True).start()
        return self.other

    # ---- how the k-th call of a request is made

    async def one(self, job, k):
        mode = job.mode
        if mode == "timer":
            await asyncio.sleep(0.005)
        elif mode == "later":
            done = self.loop.create_future()
            self.loop.call_later(0.003, lambda: self.loop.create_task(self.call(job, k)).add_done_callback(
                lambda task: done.set_result(task.result())))
            return await done
        elif mode == "name":
            return await self.call(job, k, "fresh", BACKEND.replace("127.0.0.1", "localhost"))
        elif mode == "new":
            return await self.call(job, k, "fresh")
        elif mode == "pool":
            return await self.call(job, k, "pool")
        elif mode == "queue":
            await self.enqueue(functools.partial(asyncio.sleep, 0.001))
        elif mode == "handoff":
            return await self.enqueue(functools.partial(self.call, job, k), contextvars.copy_context())
        elif mode == "thread":
            await asyncio.to_thread(time.sleep, 0.002)
        elif mode == "executor":
            if k % 2:
                return await asyncio.to_thread(blocking, job, k)
            return await self.loop.run_in_executor(None, blocking, job, k)
        elif mode == "worker":
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0.001), self.other_loop()))
        elif mode == "postgres":
            return await self.postgres(job, k)
        elif mode in ("redis", "shared"):
            return await self.redis(job, k, 4 if mode == "redis" else 1)
        elif mode == "refused":
            try:
                await self.send("GET", "http://127.0.0.1:1/", None, "fresh")
            except Exception:
                pass
        return await self.call(job, k)

    async def run(self, job):
        """Makes the calls of a request; returns the status and text to answer with."""
        numbers = range(1, job.calls + 1)
        if job.mode == "par":
            results = await asyncio.gather(*(self.one(job, k) for k in numbers))
        else:
            results = [await self.one(job, k) for k in numbers]
        return 502 if any(one >= 400 for one in results) else 200, " ".join(map(str, results))
