# test_published.py - process and thread contexts as OpenTelemetry's proposals lay them out, read from in- and outside.
import re
import struct
import urllib.request
from pathlib import Path

import pytest
from tagalong_e2e.launcher import PYTHON
from tagalong_e2e.machine import PROGRAMS, free_port, listens, wait_for
from tagalong_e2e.tree import SERVER

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def start(machine, collector, env=None, *arguments):
    port = free_port()
    process = machine.start_server([PYTHON, PROGRAMS / "published.py", str(port), *arguments], port,
                                   {"service": "shop", "endpoint": collector.endpoint},
                                   {"OTEL_BSP_SCHEDULE_DELAY": "100", **(env or {})})
    return process, port


def ask(port, path="/"):
    """(pid, thread, address of its record, the record) while the request was served."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}",
                                     headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    pid, thread, at, record = urllib.request.urlopen(request, timeout=10).read().decode().split(" ")
    return int(pid), int(thread), int(at), bytes.fromhex(record)


def mappings(pid):
    """Where the process's contexts are, as readers look for them."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if re.search(r" (\[anon_shmem:OTEL_CTX\]|\[anon:OTEL_CTX\]|/memfd:OTEL_CTX.*)$", line):
            assert line.split()[1] == "rw-p"
            found.append(int(line.split("-")[0], 16))
    return found


def fields(data):
    """The fields of a protobuf message: (number, bytes)."""
    at = 0
    while at < len(data):
        assert data[at] & 7 == 2
        number, size, shift, at = data[at] >> 3, 0, 0, at + 1
        while True:
            size |= (data[at] & 0x7f) << shift
            shift, at = shift + 7, at + 1
            if not data[at - 1] & 0x80:
                break
        assert at + size <= len(data)
        yield number, data[at:at + size]
        at += size


def attributes(data):
    result = {}
    for number, pair in fields(data):
        key, value = (content for _, content in fields(pair))
        kind, content = next(fields(value))
        assert kind in (1, 5)
        result[key.decode()] = content.decode() if kind == 1 else list(fields(content))
    return result


def process_context(pid):
    (address,) = mappings(pid)
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(address)
        signature, version, size, published, payload = struct.unpack("=8sIIQQ", memory.read(32))
        assert (signature, version) == (b"OTEL_CTX", 2) and published
        memory.seek(payload)
        message = memory.read(size)
    resource = b"".join(content for number, content in fields(message) if number == 1)
    others = [content for number, content in fields(message) if number == 2]
    assert all(number == 1 for number, _ in fields(resource))
    return attributes(resource), attributes(b"".join(bytes([10, len(one)]) + one for one in others))


def test_thread_says_which_request_it_works_for(machine, collector):
    process, port = start(machine, collector)
    pid, thread, at, record = ask(port)
    (span,) = [span for span in collector.wait(1) if span["kind"] == SERVER]
    assert record == bytes.fromhex(TRACE) + bytes.fromhex(span["span"]) + b"\1\1\0\0"
    # The entry of the thread in the table is what eBPF programs go by; the request was the only one.
    wait_for(lambda: "after " in machine.log(process), "the request is over")
    after = bytes.fromhex(re.search(r"after (\w+)", machine.log(process)).group(1))
    assert after[24] == 0
    segment = re.search(r"/\S+", next(line for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
                                      if "segment" in line or "tagalong" in line and "rw-s" in line)).group()
    assert struct.pack("=IIQ", thread, 0, at) in Path(segment).read_bytes()


def test_process_says_how_its_threads_tell(machine, collector):
    _, port = start(machine, collector)
    pid, *_ = ask(port)
    resource, others = process_context(pid)
    assert resource["service.name"] == "shop"
    assert resource["telemetry.sdk.name"] == "tagalong"
    assert others == {"threadlocal.schema_version": "tlsdesc_v1_dev", "threadlocal.attribute_key_map": []}


def test_child_publishes_its_own_context(machine, collector):
    second = free_port()
    _, port = start(machine, collector, {}, str(second))
    parent, *_ = ask(port)
    wait_for(lambda: listens(second), "the child listens")
    child, _, _, record = ask(second)
    assert child != parent and record[:16].hex() == TRACE and record[24] == 1
    assert len(mappings(parent)) == len(mappings(child)) == 1
    assert process_context(child)[0]["service.name"] == "shop"


def test_nothing_is_published_when_it_is_turned_off(machine, collector):
    _, port = start(machine, collector, {"TAGALONG_PUBLISH_CONTEXT": "0"})
    pid, _, at, _ = ask(port)
    assert at == 0 and mappings(pid) == []


@pytest.mark.parametrize("off", [False, True])
def test_threads_clock_is_told_of_those_that_do_one_thing_at_a_time(machine, collector, off):
    _, port = start(machine, collector, {"TAGALONG_CPU_TIME": "0"} if off else {})
    ask(port, "/busy")
    ask(port, "/idle")
    spans = sorted((span for span in collector.wait(2) if span["kind"] == SERVER), key=lambda span: span["start"])
    if off:
        assert not [key for span in spans for key in span["attributes"] if key.startswith("tagalong.time.")]
        return
    for span in spans:
        times = span["attributes"]
        # The receiver's numbers are doubles: times of this century are good for half a microsecond in them.
        whole = times["tagalong.time.cpu"] + times["tagalong.time.off_cpu"]
        assert abs(whole - (span["end"] - span["start"])) < 1000
        assert times["tagalong.time.calls"] == 0
    # The program itself asked the same clock, and slept for so long at least.
    assert spans[0]["attributes"]["tagalong.time.cpu"] >= 30_000_000
    assert spans[1]["attributes"]["tagalong.time.off_cpu"] >= 30_000_000
