# tree.py - counts the links of spans against the tree that is known from the URLs.
#
# The driver asks the front service for /n/T/I; for its k-th call the front asks the backend for
# /n/T/I.k (a proxy: for the same path), PostgreSQL for a column id_T_I_k, Redis for a key n:T/I.k.
# So every span's true parent is known from its path.
import re
from collections import Counter, defaultdict
from urllib.parse import parse_qs, urlsplit

INTERNAL, SERVER, CLIENT = 1, 2, 3


def attribute(span, name):
    return span["attributes"].get(name)


def path_in(text):
    """The path that a statement or command names, "" if it names none."""
    if found := re.search(r"\bid_([0-9a-f]+)_([0-9a-f]+)_(\d+)\b", text):
        return "/n/{}/{}.{}".format(*found.groups())
    found = re.search(r"\bn:([0-9a-f]+/[0-9a-f]+\.\d+)", text)
    return f"/n/{found.group(1)}" if found else ""


def path_of(span):
    if span["kind"] == SERVER:
        # The older convention is that of language agents.
        return attribute(span, "url.path") or urlsplit(attribute(span, "http.target") or "").path
    address = attribute(span, "url.full") or attribute(span, "http.url")
    if address:
        return urlsplit(address).path
    return path_in(attribute(span, "db.query.text") or attribute(span, "db.statement") or "")


def is_preparation(span):
    """Of a statement, which is run by another span."""
    return attribute(span, "db.operation.name") == "PREPARE"


def request_id_of(span):
    values = attribute(span, "http.request.header.x-request-id")
    return values[0] if isinstance(values, list) and len(values) == 1 else values


class Tally:
    """
    Counts by category; `examples` has the first few of each that is not right. `servers` has the
    server span of each path, `clients` the list of spans of each path that was called.
    """

    def __init__(self):
        self.servers = self.clients = None
        self.counts = Counter()
        self.examples = defaultdict(list)

    def add(self, category, example=None):
        self.counts[category] += 1
        if example is not None and len(self.examples[category]) < 3:
            self.examples[category].append(example)

    def __getitem__(self, category):
        return self.counts[category]

    def join(self, other):
        """Adds the counts of another one."""
        self.counts += other.counts
        for category, examples in other.examples.items():
            self.examples[category] += examples
        return self

    def faults(self, allowed=()):
        """Categories that are neither right nor allowed, with their counts."""
        good = {"right", "server right", "wire right", "status right", "id right", *allowed}
        return {name: (count, self.examples[name]) for name, count in self.counts.items()
                if name not in good and count}


def ancestor(span, internal):
    """(trace, span) of the nearest one above that is not internal: agents tell of middleware, too."""
    parent = span["parent"]
    while (span["trace"], parent) in internal:
        parent = internal[span["trace"], parent]
    return span["trace"], parent


def judge(span, parent, tally, side="", internal=()):
    """Counts one link: parent is the true parent's (trace, span), or None for a root."""
    where = (path_of(span), span["span"], span["parent"], span["attributes"].get("tagalong.parent.guess"))
    if parent is None:
        tally.add(f"{side}wrong" if span["parent"] else f"{side}right", where)
    elif ancestor(span, internal) == parent:
        tally.add(f"{side}right")
        return True
    elif not span["parent"]:
        tally.add(f"{side}orphan", where)
    elif attribute(span, "tagalong.parent.guess"):
        tally.add(f"{side}marked", where)
    else:
        tally.add(f"{side}wrong", where)
    return False


def header(record, name):
    return [value for key, value in record["headers"] if key.lower() == name]


def _check_answer(request, span, tally):
    """What the server span says of the answer, against what the driver got."""
    same = attribute(span, "http.response.status_code") == request.status
    tally.add("status right" if same else "status wrong", (request.target, request.status, span["attributes"]))
    returned = request.returned("x-request-id")
    wanted = request.request_id or (returned[0] if returned else None)
    same = wanted and returned == [wanted] and request_id_of(span) == wanted
    tally.add("id right" if same else "id wrong", (request.target, wanted, returned, request_id_of(span)))


def _check_server(requests, servers, tally, headers):
    """The front's server spans against what the driver sent and got back; path -> span."""
    found = {}
    for request in requests:
        spans = servers.get(request.path, [])
        # What the server closed on was asked again: that many spans may be there without an answer.
        unanswered = [one for one in spans if attribute(one, "http.response.status_code") is None]
        for one in unanswered[:request.retries]:
            spans.remove(one)
        if len(spans) != 1:
            tally.add("server double" if spans else "server missing", request.target)
            continue
        span = found[request.path] = spans[0]
        judge(span, (request.trace_id, request.span_id) if request.trace_id else None, tally, "server ")
        if headers and not request.leave:
            _check_answer(request, span, tally)
    return found


def _check_headers(record, span, parent, tally):
    """What went over the wire with a call whose parent is right or unknown."""
    path = path_of(span)
    wire = header(record, "traceparent")
    same = len(wire) == 1 and wire[0].split("-")[1:3] == [span["trace"], span["span"]]
    tally.add("wire right" if same else "wire wrong", (path, wire, span["trace"], span["span"]))
    if parent is None:
        return
    wanted = request_id_of(parent)
    same = wanted and header(record, "x-request-id") == [wanted] and request_id_of(span) == wanted
    tally.add("id right" if same else "id wrong",
              (path, wanted, header(record, "x-request-id"), request_id_of(span)))


def _check_status(request, path, span, tally):
    known = parse_qs(request.query)
    status = None if "reset" in known else int(known.get("status", [200])[0])
    same = attribute(span, "http.response.status_code") == status
    tally.add("status right" if same else "status wrong", (path, status, span["attributes"]))


class _Spans:
    """The spans of one service by kind and path."""

    def __init__(self, service, spans):
        self.by_path = {SERVER: defaultdict(list), CLIENT: defaultdict(list)}
        self.internal = {}
        for span in spans:
            if span["resource"].get("service.name") != service:
                continue
            if span["kind"] == INTERNAL:
                self.internal[span["trace"], span["span"]] = span["parent"]
            elif span["kind"] in self.by_path:
                self.by_path[span["kind"]][path_of(span)].append(span)


def check(service, requests, records, spans, proxy=False, headers=True):
    """
    Counts every link of `service`: server spans, client spans, and what its peers saw. A record is
    a request that the recorder wrote down, or {"path": ...} of a statement or command. Without
    `headers` only links are looked at. Returns the tally.
    """
    tally = Tally()
    known = {request.path: request for request in requests}
    found = _Spans(service, spans)
    tally.servers = _check_server(requests, found.by_path[SERVER], tally, headers)
    tally.clients = found.by_path[CLIENT]
    seen = defaultdict(list)
    for record in records:
        seen[record.get("path") or urlsplit(record["target"]).path].append(record)
    for path, calls in seen.items():
        caller = path if proxy else path.rsplit(".", 1)[0]
        told = tally.clients.get(path, [])
        parent = tally.servers.get(caller)
        for span in told if parent else ():
            right = judge(span, (parent["trace"], parent["span"]), tally, internal=found.internal)
            if headers and "headers" in calls[0] and len(calls) == len(told) == 1:
                _check_headers(calls[0], span, parent if right else None, tally)
                _check_status(known[caller], path, span, tally)
        # A statement may be prepared first, by a span that is a link as well.
        difference = sum(not is_preparation(span) for span in told) - len(calls)
        if difference:
            tally.add("double" if difference > 0 else "missing", path)
            tally.counts["double" if difference > 0 else "missing"] += abs(difference) - 1
    # A statement or command without an id is the program's own: a log-in. So is an agent's idea of a span.
    strays = [path for path in tally.clients if headers and path and path not in seen]
    strays += [path for path in found.by_path[SERVER] if path not in known]
    for path in strays:
        tally.add("stray", path)
    return tally
