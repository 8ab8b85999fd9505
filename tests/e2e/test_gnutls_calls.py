# test_gnutls_calls.py - every way in which GnuTLS sends and receives is seen, and loses no byte.
import pytest

from tagalong_e2e import machine as machine_module
from tagalong_e2e import tls
from tagalong_e2e.raw import added, without_added
from tagalong_e2e.tree import CLIENT

CLIENT_PROGRAM = machine_module.BUILD / "tests" / "e2e" / "gnutls_client"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
# What is corked is counted when it is let go; padding and ranges were measured for what the program sends.
WITHOUT_HEADERS = {"cork", "padding", "send_range"}
WAYS = ["send", "halves", "cork", "send2", "padding", "send_range", "recv_packet", "recv_seq"]


def ask(machine, certificates, way, endpoint=None):
    server = tls.EncryptedServer(ANSWER, certificates.server_context())
    argv = [CLIENT_PROGRAM, way, str(server.port), certificates.authority]
    process = machine.start_traced(argv, "client", endpoint) if endpoint else machine.start(argv)
    code = process.wait(20)
    server.close()
    assert not server.failures
    return code, machine.log(process), list(server.requests)


@pytest.mark.parametrize("way", WAYS)
def test_both_requests_are_spans_and_keep_their_bytes(machine, collector, way):
    certificates = tls.Certificates(machine)
    bare_code, bare_output, bare = ask(machine, certificates, way)
    assert bare_code == 0 and len(bare) == 2, bare_output
    code, output, traced = ask(machine, certificates, way, collector.endpoint)
    assert (code, output) == (bare_code, bare_output)
    assert [without_added(request) for request in traced] == bare
    spans = [span for span in collector.wait(2) if span["kind"] == CLIENT]
    assert sorted(span["attributes"]["url.full"].rsplit("/", 1)[1] for span in spans) == ["0", "1"]
    assert {span["attributes"]["http.response.status_code"] for span in spans} == {200}
    count = 0 if way in WITHOUT_HEADERS else 2
    assert added(b"".join(traced)) == {"traceparent": count, "tracestate": 0, "x-request-id": count}
