# published.py - a threaded server that answers with what the library publishes about the thread that serves.
#
#   published.py PORT [PORT of a forked child]
import ctypes
import http.server
import os
import sys
import threading
import time

SELF = ctypes.CDLL(None)


def record():
    """The 28 bytes of this thread's record, or nothing."""
    at = ctypes.c_void_p.in_dll(SELF, "otel_thread_ctx_v1").value
    return ctypes.string_at(at, 28) if at else b""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        at = ctypes.c_void_p.in_dll(SELF, "otel_thread_ctx_v1").value
        until = time.thread_time() + 0.03
        while self.path == "/busy" and time.thread_time() < until:
            pass
        if self.path == "/idle":
            time.sleep(0.03)
        body = f"{os.getpid()} {threading.get_native_id()} {at or 0} {record().hex()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.after = record()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    after = b""

    def service_actions(self):
        """After a request has been answered its thread works for none."""
        if self.after:
            print("after", self.after.hex(), flush=True)
            self.after = b""


if sys.argv[2:] and os.fork() == 0:
    Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever(0.02)
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever(0.02)
