# sink.py - takes OTLP/HTTP requests as fast as it can, keeps their bodies, and counts the spans afterwards.
#
#   sink.py [FILE]      prints its port; appends each body to FILE, or throws it away in the kernel
import socket
import sys
import threading


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def messages(data, at, end, wanted):
    """The places of the submessages with field number `wanted`."""
    while at < end:
        key, at = varint(data, at)
        if key & 7 == 2:
            size, at = varint(data, at)
            if key >> 3 == wanted:
                yield at, at + size
            at += size
        elif key & 7 == 0:
            _, at = varint(data, at)
        else:
            at += 8 if key & 7 == 1 else 4


def count_spans(data):
    """Spans in concatenated export requests: ResourceSpans (1), ScopeSpans (2), Span (2)."""
    return sum(1 for resource in messages(data, 0, len(data), 1)
               for scope in messages(data, *resource, 2) for _ in messages(data, *scope, 2))


class Input:
    """What a client sends: lines, and runs of bytes that are kept or thrown away."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray(1 << 20)
        self.view = memoryview(self.buffer)
        self.filled = 0
        self.spare = bytearray(1 << 20)

    def drop_front(self, count):
        rest = bytes(self.view[count:self.filled])
        self.view[:len(rest)] = rest
        self.filled = len(rest)

    def until(self, mark):
        """What comes before the mark, which is skipped; None: the client has ended."""
        while (end := self.buffer.find(mark, 0, self.filled)) < 0:
            got = self.sock.recv_into(self.view[self.filled:])
            if not got:
                return None
            self.filled += got
        found = bytes(self.buffer[:end])
        self.drop_front(end + len(mark))
        return found

    def take(self, size, keep):
        """The next bytes, or b"" if they are to be thrown away: with MSG_TRUNC TCP does so without a copy."""
        have = min(size, self.filled)
        body = bytearray(size if keep else 0)
        body[:have if keep else 0] = self.view[:have if keep else 0]
        self.drop_front(have)
        while have < size:
            into = memoryview(body)[have:] if keep else memoryview(self.spare)[:size - have]
            got = self.sock.recv_into(into, len(into), 0 if keep else socket.MSG_TRUNC)
            if not got:
                raise EOFError
            have += got
        return body

    def chunks(self, keep):
        body = bytearray()
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            body += self.take(size, keep)
            self.until(b"\r\n")
        self.until(b"\r\n")
        return body


def serve(sock, out, lock):
    source = Input(sock)
    with sock:
        while (head := source.until(b"\r\n\r\n")) is not None:
            head = head.lower()
            if b"\r\ntransfer-encoding: chunked" in head:
                body = source.chunks(out)
            else:
                body = source.take(int(head.split(b"content-length:")[1].split(b"\r\n")[0]), out)
            if out:
                with lock:
                    out.write(body)
                    out.flush()
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    print(listener.getsockname()[1], flush=True)
    out, lock = open(sys.argv[1], "ab") if len(sys.argv) > 1 else None, threading.Lock()
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, out, lock), daemon=True).start()


if __name__ == "__main__":
    main()
