# front_http_server.py - front service on http.server, a thread a connection, calling with http.client.
import http.client
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BACKEND = urlsplit(os.environ["BACKEND"])
CLIENT = http.client.HTTPSConnection if BACKEND.scheme == "https" else http.client.HTTPConnection


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        results = []
        for i in range(int(parse_qs(url.query).get("calls", ["1"])[0])):
            client = CLIENT(BACKEND.netloc, timeout=20)
            client.request(self.command, f"{url.path}.{i + 1}?{url.query}", body)
            response = client.getresponse()
            response.read()
            results.append(response.status)
            client.close()
        reply = (" ".join(map(str, results)) + "\n").encode()
        self.send_response(502 if any(status >= 400 for status in results) else 200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_POST = do_GET

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256


Server(("127.0.0.1", int(os.environ["PORT"])), Front).serve_forever()
