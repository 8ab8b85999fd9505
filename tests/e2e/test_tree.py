# test_tree.py - the checker of the known tree finds what it is there to find.
import copy

import pytest

from tagalong_e2e.driver import Request
from tagalong_e2e.tree import CLIENT, SERVER, check

TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(kind, path, span_id, parent, **attributes):
    where = {"url.path": path} if kind == SERVER else {"url.full": f"http://127.0.0.1:1{path}?a=b"}
    return {
        "trace": TRACE, "span": span_id, "parent": parent, "kind": kind, "resource": {"service.name": "front"},
        "attributes": {"http.response.status_code": 200, "http.request.header.x-request-id": ["r1"],
                       **where, **attributes},
    }


def truth():
    request = Request("/n/1/1", "calls=1", trace_id=TRACE, span_id="00000000000000aa", request_id="r1",
                      status=200, headers=[("X-Request-ID", "r1")])
    record = {"target": "/n/1/1.1?calls=1",
              "headers": [["traceparent", f"00-{TRACE}-00000000000000c1-01"], ["x-request-id", "r1"]]}
    spans = [span(SERVER, "/n/1/1", "00000000000000b1", "00000000000000aa"),
             span(CLIENT, "/n/1/1.1", "00000000000000c1", "00000000000000b1")]
    return [request], [record], spans


def test_true_tree_has_no_fault():
    tally = check("front", *truth())
    assert not tally.faults()
    assert (tally["right"], tally["server right"], tally["wire right"], tally["status right"], tally["id right"]) \
        == (1, 1, 1, 2, 2)


FAULTS = {
    "orphan": lambda q, r, s: s[1].update(parent=""),
    "wrong": lambda q, r, s: s[1].update(parent="00000000000000b2"),
    "marked": lambda q, r, s: (s[1].update(parent="00000000000000b2"),
                               s[1]["attributes"].update({"tagalong.parent.guess": "thread"})),
    "missing": lambda q, r, s: s.pop(1),
    "double": lambda q, r, s: s.append(copy.deepcopy(s[1])),
    "stray": lambda q, r, s: s.append(span(CLIENT, "/n/1/9.1", "00000000000000c2", "")),
    "server missing": lambda q, r, s: s.pop(0),
    "server double": lambda q, r, s: s.append(copy.deepcopy(s[0])),
    "server orphan": lambda q, r, s: s[0].update(parent=""),
    "server wrong": lambda q, r, s: s[0].update(trace="0" * 31 + "1"),
    "wire wrong": lambda q, r, s: r[0]["headers"].append(["traceparent", f"00-{TRACE}-00000000000000c1-01"]),
    "status wrong": lambda q, r, s: s[1]["attributes"].update({"http.response.status_code": 500}),
    "id wrong": lambda q, r, s: q[0].headers.append(("x-request-id", "r1")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault):
    requests, records, spans = truth()
    FAULTS[fault](requests, records, spans)
    assert fault in check("front", requests, records, spans).faults()
