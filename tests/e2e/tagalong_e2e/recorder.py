# recorder.py - the uninstrumented backend: answers as the URL asks and writes down what came over the wire.
#
#   recorder.py FILE [CERTIFICATE]    prints its port; one JSON line a request in FILE
#
# Query: status=N, delay=MS, size=BYTES, reset=1 (it hangs up instead of answering). Without delay it waits
# 0 to 4 ms, by the path, so that answers come back in another order than the requests went out.
import asyncio
import json
import ssl
import sys
import zlib
from urllib.parse import parse_qs, urlsplit


class Connection(asyncio.Protocol):
    def __init__(self, log):
        self.log = log
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport
        self.queue = asyncio.Queue()
        self.task = asyncio.get_running_loop().create_task(self.answer())

    def connection_lost(self, error):
        self.task.cancel()

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = [line.split(":", 1) for line in head[1:]]
            headers = [[name, value.strip()] for name, value in headers]
            known = {name.lower(): value for name, value in headers}
            if known.get("transfer-encoding", "").lower() == "chunked":
                size = self.chunked(end + 4)
                if size is None:
                    return
            else:
                size = int(known.get("content-length", 0))
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size:]
            method, target, version = head[0].split(" ", 2)
            if version == "HTTP/1.0" and known.get("connection", "").lower() != "keep-alive":
                known["connection"] = "close"
            self.log.write(json.dumps({"method": method, "target": target, "headers": headers, "body": size}) + "\n")
            self.log.flush()
            self.queue.put_nowait((method, target, known))

    def chunked(self, at):
        begin = at
        while True:
            line = self.buffer.find(b"\r\n", at)
            if line < 0:
                return None
            size = int(self.buffer[at:line].split(b";")[0], 16)
            at = line + 2 + size + 2
            if len(self.buffer) < at:
                return None
            if size == 0:
                return at - begin

    async def answer(self):
        while True:
            method, target, headers = await self.queue.get()
            url = urlsplit(target)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            delay = float(query.get("delay", zlib.crc32(url.path.encode()) % 5))
            await asyncio.sleep(delay / 1000)
            if "reset" in query:
                self.transport.close()
                return
            status = int(query.get("status", 200))
            body = b"x" * int(query.get("size", 12))
            head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\nContent-Type: text/plain\r\n"
            close = headers.get("connection", "").lower() == "close"
            head += "Connection: close\r\n\r\n" if close else "\r\n"
            self.transport.write(head.encode() + (b"" if method == "HEAD" else body))
            if close:
                self.transport.close()
                return


async def main():
    log = open(sys.argv[1], "w")
    encrypted = None
    if len(sys.argv) > 2:
        encrypted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        encrypted.load_cert_chain(sys.argv[2])
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(log), "127.0.0.1", 0, backlog=1024, ssl=encrypted)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
