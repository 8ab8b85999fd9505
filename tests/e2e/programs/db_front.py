# db_front.py - a front service that asks four databases for each request, a connection a thread.
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pg8000
import psycopg2
import pymysql
import redis
from pymemcache.client.base import Client

local = threading.local()


def where(kind):
    return {"host": os.environ["DB_HOST"], "port": int(os.environ[f"{kind}_PORT"])}


def connect():
    login = {"password": os.environ["DB_PASSWORD"], "database": os.environ["DB_NAME"]}
    local.postgres = [psycopg2.connect(user=os.environ["DB_USER"], **where("POSTGRES"), **login),
                      pg8000.connect(user=os.environ["DB_OLD_USER"], **where("POSTGRES"), **login)]
    for one in local.postgres:
        one.autocommit = True
    local.maria = pymysql.connect(user=os.environ["DB_USER"], **where("MARIADB"), **login)
    local.redis = redis.Redis(password=os.environ["DB_PASSWORD"], **where("REDIS"))
    local.memcached = Client((os.environ["DB_HOST"], int(os.environ["MEMCACHED_PORT"])))


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not hasattr(local, "redis"):
            connect()
        name = self.path.strip("/")
        for one in (*local.postgres, local.maria):
            cursor = one.cursor()
            cursor.execute(f"SELECT 'sEcReT' AS {name}")
            cursor.fetchall()
        local.redis.get(name)
        local.memcached.get(name)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Front).serve_forever()
