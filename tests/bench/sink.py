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


def serve(sock, out, lock):
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    spare = bytearray(1 << 20)
    filled = 0
    with sock:
        while True:
            while (end := buffer.find(b"\r\n\r\n", 0, filled)) < 0:
                got = sock.recv_into(view[filled:])
                if not got:
                    return
                filled += got
            head = bytes(buffer[:end]).lower()
            size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            have = min(size, filled - end - 4)
            if out:
                body = bytearray(size)
                body[:have] = view[end + 4:end + 4 + have]
                while have < size:
                    have += sock.recv_into(memoryview(body)[have:])
                with lock:
                    out.write(body)
                    out.flush()
            while have < size:  # with MSG_TRUNC TCP discards without a copy
                have += sock.recv_into(spare, min(size - have, len(spare)), socket.MSG_TRUNC)
            rest = bytes(view[end + 4 + size:filled])
            view[:len(rest)] = rest
            filled = len(rest)
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
