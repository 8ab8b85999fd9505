# shop.py - the shop: a Flask application on PostgreSQL and Redis, which asks the stock service over HTTP. It knows nothing of tracing.
import os

import psycopg2
import redis
import requests
from flask import Flask, jsonify, request

app = Flask(__name__)
STOCK = os.environ["STOCK"]
cache = redis.Redis(unix_socket_path=os.environ["CACHE"])
connections = []


def query(text, *values):
    if not connections:
        connections.append(psycopg2.connect(os.environ["DATABASE"]))
        connections[0].autocommit = True
    with connections[0].cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else []


def stock(path):
    return requests.get(f"{STOCK}{path}", timeout=5)


@app.get("/products/<name>")
def product(name):
    price = cache.get(f"price:{name}")
    if price is None:
        found = query("SELECT price FROM products WHERE name = %s", name)
        if not found:
            return jsonify(error="no such product"), 404
        price = found[0][0]
        cache.set(f"price:{name}", price, ex=60)
    return jsonify(name=name, price=int(price), left=stock(f"/stock/{name}").json()["left"])


# A page as they grow: one query for the list, and then one for each line of it.
@app.get("/report")
def report():
    lines = []
    for name, price in query("SELECT name, price FROM products ORDER BY name"):
        sold = query("SELECT coalesce(sum(count), 0) FROM orders WHERE product = %s", name)[0][0]
        lines.append({"name": name, "sold": int(sold), "income": int(sold) * price})
    return jsonify(lines)


@app.post("/orders")
def order():
    wanted = request.get_json()
    for name in wanted:
        if stock(f"/stock/{name}").status_code != 200:
            return jsonify(error=f"{name} is not to be had"), 409
    if requests.post(f"{STOCK}/bookings", json=wanted, timeout=5).status_code != 201:
        return jsonify(error="the booking failed"), 502
    for name, count in wanted.items():
        query("INSERT INTO orders (product, count, customer) VALUES (%s, %s, 'jane@example.org')", name, count)
    return jsonify(ordered=wanted), 201


# The column is misspelt, as happens.
@app.get("/customers/<name>")
def customer(name):
    return jsonify(query("SELECT emial FROM orders WHERE customer = %s", name))
