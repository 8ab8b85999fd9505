# front_flask.py - front service on Flask, calling with requests over a session a thread. For gunicorn.
import os
import threading

import requests
from flask import Flask, request

app = Flask(__name__)
local = threading.local()


@app.route("/n/<trace>/<node>", methods=["GET", "POST"])
def front(trace, node):
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.trust_env = False
        local.session.verify = os.environ.get("SSL_CERT_FILE", True)
    query = request.query_string.decode()
    results = []
    for i in range(int(request.args.get("calls", 1))):
        url = f"{os.environ['BACKEND']}{request.path}.{i + 1}?{query}"
        answer = local.session.request(request.method, url, data=request.get_data() or None, timeout=20)
        results.append(answer.status_code)
    return " ".join(map(str, results)), 502 if any(status >= 400 for status in results) else 200
