# raw.py - uninstrumented peers on raw sockets, which keep every byte that they saw.
import os
import random
import re
import socket
import threading

ADDED = re.compile(rb"(?im)^(traceparent|tracestate|x-request-id):[ \t]*([^\r\n]*)\r\n")
DATE = re.compile(rb"(?im)^(date): [^\r\n]*\r\n")


def without_added(data):
    """The bytes without exactly the header lines that tagalong may add."""
    return ADDED.sub(b"", data)


def added(data):
    """How often each added header occurs."""
    names = [match.group(1).lower().decode() for match in ADDED.finditer(data)]
    return {name: names.count(name) for name in ("traceparent", "tracestate", "x-request-id")}


def without_dates(data):
    """Dates are the one thing that differs between two runs by itself."""
    return DATE.sub(rb"\1: now\r\n", data)


def send_in_pieces(sock, data, rng, largest):
    """Sends in pieces of 1 to `largest` bytes, each a packet of its own where the kernel lets it."""
    at = 0
    while at < len(data):
        size = rng.randint(1, largest)
        sock.sendall(data[at:at + size])
        at += size


class Peer:
    """The other end of one connection: it listens at `address`, or connects there."""

    def __init__(self, address, turns, listens, seed=1, piece=4000, slow=False):
        """turns: pairs ("expect", bytes) or ("send", bytes), or ("end", None) to wait for end of file."""
        self.address, self.turns, self.slow, self.piece = address, turns, slow, piece
        self.rng = random.Random(seed)
        self.received = b""
        self.problem = None
        self.listener = None
        if listens:
            self.listener = self._socket()
            self.listener.bind(address)
            self.listener.listen(1)
            self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _socket(self):
        family = socket.AF_UNIX if isinstance(self.address, str) else (
            socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET)
        sock = socket.socket(family, socket.SOCK_STREAM)
        if self.slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        try:
            if self.listener:
                self.listener.settimeout(20)
                sock, _ = self.listener.accept()
                self.listener.close()
            else:
                sock = self._socket()
                sock.connect(self.address)
            sock.settimeout(20)
            with sock:
                self._talk(sock)
        except (OSError, AssertionError) as error:
            self.problem = repr(error)

    def _talk(self, sock):
        expected = 0
        for what, data in self.turns:
            if what == "send":
                send_in_pieces(sock, data, self.rng, self.piece)
            elif what == "end":
                while self._receive(sock):
                    pass
            else:
                expected += len(data)
                while len(self.received) < expected or len(without_added(self.received)) < expected:
                    assert self._receive(sock), f"end of file after {len(self.received)} bytes"

    def _receive(self, sock):
        data = sock.recv(self.rng.randint(1, 3000) if self.slow else 1 << 16)
        self.received += data
        return len(data)

    def finish(self):
        """Waits for the end; returns all bytes received."""
        self.thread.join(40)
        assert not self.thread.is_alive(), f"the peer still waits; it has {len(self.received)} bytes"
        assert self.problem is None, self.problem
        return self.received


def exchange(port, data, piece=1 << 16, seed=1, patience=20):
    """Sends data to a server and returns all it answers until it closes, or is silent for `patience` seconds."""
    rng = random.Random(seed)
    received = b""

    def send():
        try:
            send_in_pieces(sock, data, rng, piece)
        except OSError:
            pass  # a server may close before it has read all

    with socket.create_connection(("127.0.0.1", port), timeout=patience) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            while chunk := sock.recv(1 << 16):
                received += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        sender.join()
    return received


class CannedServer:
    """Answers every request with the same bytes; keeps each request's bytes."""

    def __init__(self, answer, port=0):
        self.answer = answer
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        waiting = b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock:
            while True:
                try:
                    data = sock.recv(1 << 16)
                except OSError:
                    return
                if not data:
                    return
                if not waiting and b"100-continue" in data and message_size(data) is None:
                    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                waiting += data
                while (size := message_size(waiting)) is not None:
                    request, waiting = waiting[:size], waiting[size:]
                    self.requests.append(request)
                    sock.sendall(self.answer)
                    head = (request + self.answer).lower()
                    if b"connection: close" in head or b" http/1.0\r\n" in head:
                        return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


def message_size(data):
    """Size of the first request in data, or None if it is not complete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    length = re.search(rb"\r\ncontent-length: *(\d+)", head)
    if b"\r\ntransfer-encoding: chunked" in head:
        last = data.find(b"0\r\n\r\n", end + 4)
        return None if last < 0 else last + 5
    size = end + 4 + (int(length.group(1)) if length else 0)
    return size if len(data) >= size else None


def random_bytes(count, seed):
    """Bytes that look like nothing in particular, the same for the same seed."""
    return random.Random(seed).randbytes(count) if count else os.urandom(0)
