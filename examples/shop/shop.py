# shop.py - the shop: a Flask application that asks the stock service over HTTP. It knows nothing of tracing.
import os

import requests
from flask import Flask, jsonify, request

app = Flask(__name__)
STOCK = os.environ["STOCK"]
PRICES = {"apple": 40, "bread": 250, "cheese": 690}


def stock(path):
    return requests.get(f"{STOCK}{path}", timeout=5)


@app.get("/products")
def products():
    return jsonify([{"name": name, "price": price} for name, price in PRICES.items()])


@app.get("/products/<name>")
def product(name):
    answer = stock(f"/stock/{name}")
    if answer.status_code == 404:
        return jsonify(error="no such product"), 404
    return jsonify(name=name, price=PRICES[name], left=answer.json()["left"])


@app.post("/orders")
def order():
    wanted = request.get_json()
    for name in wanted:
        left = stock(f"/stock/{name}")
        if left.status_code != 200:
            return jsonify(error=f"{name} is not to be had"), 409
    booked = requests.post(f"{STOCK}/bookings", json=wanted, timeout=5)
    if booked.status_code != 201:
        return jsonify(error="the booking failed"), 502
    return jsonify(total=sum(PRICES[name] * count for name, count in wanted.items())), 201
