# stock.py - the stock service: what is left of each product. Some questions take long, some bookings fail.
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEFT = {"apple": 120, "bread": 7, "cheese": 2}


class Stock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        name = self.path.rsplit("/", 1)[1]
        if name == "cheese":
            time.sleep(0.25)  # the cellar is far
        if name in LEFT:
            self.reply(200, {"left": LEFT[name]})
        else:
            self.reply(404, {"error": "unknown"})

    def do_POST(self):
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if any(count > LEFT.get(name, 0) for name, count in wanted.items()):
            self.reply(500, {"error": "stock is inconsistent"})
        else:
            self.reply(201, {"booked": True})

    def log_message(self, *args):
        pass


address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"]))
ThreadingHTTPServer(address, Stock).serve_forever()
