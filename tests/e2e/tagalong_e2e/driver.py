# driver.py - the uninstrumented client: sends many requests at once over kept-alive connections.
import http.client
import queue
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Request:
    """A request to send and, afterwards, what came back."""

    path: str
    query: str = ""
    method: str = "GET"
    body: bytes = None
    trace_id: str = ""
    span_id: str = ""
    request_id: str = ""
    status: int = 0
    headers: list = field(default_factory=list)
    answer: bytes = b""
    error: str = ""
    retries: int = 0
    pause: float = 0  # in seconds: after the head, and in the middle of the body
    leave: float = 0  # in seconds: the client hangs up so long after it asked

    @property
    def target(self):
        return f"{self.path}?{self.query}" if self.query else self.path

    def sent_headers(self):
        headers = {"User-Agent": "tree-driver"}
        if self.trace_id:
            headers["traceparent"] = f"00-{self.trace_id}-{self.span_id}-01"
        if self.request_id:
            headers["X-Request-ID"] = self.request_id
        return headers

    def returned(self, name):
        """Every value of a response header."""
        return [value for key, value in self.headers if key.lower() == name]


def _send(connection, request):
    if not request.pause:
        connection.request(request.method, request.target, request.body, request.sent_headers())
        return
    connection.putrequest(request.method, request.target, skip_accept_encoding=True)
    for name, value in {**request.sent_headers(), "Content-Length": len(request.body)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    half = len(request.body) // 2
    for part in (request.body[:half], request.body[half:]):
        time.sleep(request.pause)
        connection.send(part)


def _work(port, todo, timeout, encrypted):
    connection = None
    while True:
        try:
            request = todo.get_nowait()
        except queue.Empty:
            break
        fresh = connection is None
        try:
            if fresh:
                connection = (
                    http.client.HTTPSConnection("localhost", port, timeout=timeout, context=encrypted)
                    if encrypted else http.client.HTTPConnection("127.0.0.1", port, timeout=timeout))
            _send(connection, request)
            if request.leave:
                time.sleep(request.leave)
                connection.close()
                connection = None
                continue
            response = connection.getresponse()
            request.answer = response.read()
            request.status, request.headers = response.status, response.getheaders()
            if response.will_close:
                connection.close()
                connection = None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            connection = None
            # The server may close an idle connection while we write to it; ask again on a new one.
            if not fresh and isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
                request.retries += 1
                todo.put(request)
            else:
                request.error = repr(error)
    if connection:
        connection.close()


def drive(port, requests, concurrency=64, timeout=30, encrypted=None):
    """Sends all requests, with an SSL context over TLS; fills in what came back."""
    todo = queue.Queue()
    for request in requests:
        todo.put(request)
    threads = [threading.Thread(target=_work, args=(port, todo, timeout, encrypted)) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [request for request in requests if request.error]
    assert not failed, f"{len(failed)} requests failed, the first {failed[0].target}: {failed[0].error}"
