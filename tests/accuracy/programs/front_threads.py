# front_threads.py - front service with a thread a connection: every kind that such a program has.
import http.client
import os
import queue
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import psycopg2
import psycopg2.pool
import redis

BACKEND = urlsplit(os.environ["BACKEND"])
EXECUTOR = ThreadPoolExecutor(16)
LOCAL = threading.local()
MADE = {}
LOCK = threading.Lock()


def once(name, make):
    with LOCK:
        if name not in MADE:
            MADE[name] = make()
        return MADE[name]


class Pool:
    """Connections that threads take and give back."""

    def __init__(self, items):
        self.items = queue.Queue()
        for item in items:
            self.items.put(item)

    def use(self, what):
        item = self.items.get()
        try:
            return what(item)
        finally:
            self.items.put(item)


def ask(connection, job, k):
    try:
        connection.request(job.command, f"{job.url.path}.{k}?{job.url.query}", job.body or None)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        connection.close()
        return 599


def connection(host="127.0.0.1"):
    return http.client.HTTPConnection(host, BACKEND.port, timeout=20)


def kept(job, k):
    if not hasattr(LOCAL, "connection"):
        LOCAL.connection = connection()
    return ask(LOCAL.connection, job, k)


def fresh(job, k, host="127.0.0.1"):
    one = connection(host)
    try:
        return ask(one, job, k)
    finally:
        one.close()


def postgres(job, k):
    def run(one):
        with one.cursor() as cursor:
            alias = "id_" + re.sub(r"\W", "_", f"{job.url.path[3:]}.{k}")
            cursor.execute(f"SELECT 1 AS {alias}")
        return 200

    return once("postgres", lambda: Pool(psycopg2.connect(os.environ["POSTGRES"]) for _ in range(4))).use(run)


def command(job, k):
    client = once("redis", lambda: redis.Redis(connection_pool=redis.BlockingConnectionPool.from_url(
        os.environ["REDIS"], max_connections=4, timeout=20)))
    client.get(f"n:{job.url.path[3:]}.{k}")
    return 200


class Worker:
    """A thread that does what comes in its queue."""

    def __init__(self):
        self.jobs = queue.Queue()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            task, done = self.jobs.get()
            done.put(task())

    def run(self, task):
        done = queue.Queue()
        self.jobs.put((task, done))
        return done.get()


def in_thread(task):
    results = []
    thread = threading.Thread(target=lambda: results.append(task()))
    thread.start()
    thread.join()
    return results[0]


def one(job, k):
    mode = job.mode
    if mode == "timer":
        time.sleep(0.003)
    elif mode == "later":
        done = queue.Queue()
        threading.Timer(0.003, lambda: done.put(fresh(job, k))).start()
        return done.get()
    elif mode == "name":
        return fresh(job, k, "localhost")
    elif mode == "new":
        return fresh(job, k)
    elif mode == "pool":
        return once("pool", lambda: Pool(connection() for _ in range(4))).use(lambda free: ask(free, job, k))
    elif mode == "queue":
        once("worker", Worker).run(lambda: time.sleep(0.001))
    elif mode == "handoff":
        return once("worker", Worker).run(lambda: fresh(job, k))
    elif mode == "thread":
        in_thread(lambda: time.sleep(0.001))
    elif mode == "worker":
        return in_thread(lambda: fresh(job, k))
    elif mode == "executor":
        return EXECUTOR.submit(fresh, job, k).result()
    elif mode == "postgres":
        return postgres(job, k)
    elif mode == "redis":
        return command(job, k)
    elif mode == "refused":
        try:
            http.client.HTTPConnection("127.0.0.1", 1, timeout=5).request("GET", "/")
        except OSError:
            pass
    return kept(job, k)


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        self.url = urlsplit(self.path)
        found = dict(part.split("=", 1) for part in self.url.query.split("&") if "=" in part)
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.mode = found.get("mode", "seq")
        numbers = range(1, int(found.get("calls", 1)) + 1)
        if self.mode == "par":
            results = list(EXECUTOR.map(lambda k: fresh(self, k), numbers))
        else:
            results = [one(self, k) for k in numbers]
        text = " ".join(map(str, results)).encode() + b"\n"
        self.send_response(502 if any(status >= 400 for status in results) else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        try:
            self.wfile.write(text)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = handle_one

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


Server(("127.0.0.1", int(os.environ["PORT"])), Front).serve_forever()
