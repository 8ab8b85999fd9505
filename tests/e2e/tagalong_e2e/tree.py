# tree.py - counts the links of spans against the tree that is known from the URLs.
#
# The driver asks the front service for /n/T/I; for its k-th call the front asks the backend for
# /n/T/I.k (a proxy: for the same path). So every span's true parent is known from its path.
from collections import Counter, defaultdict
from urllib.parse import urlsplit

SERVER, CLIENT = 2, 3


def attribute(span, name):
    return span["attributes"].get(name)


def path_of(span):
    if span["kind"] == SERVER:
        return attribute(span, "url.path")
    return urlsplit(attribute(span, "url.full") or "").path


def request_id_of(span):
    values = attribute(span, "http.request.header.x-request-id")
    return values[0] if isinstance(values, list) and len(values) == 1 else values


class Tally:
    """Counts by category; `examples` has the first few of each that is not right."""

    def __init__(self):
        self.counts = Counter()
        self.examples = defaultdict(list)

    def add(self, category, example=None):
        self.counts[category] += 1
        if example is not None and len(self.examples[category]) < 3:
            self.examples[category].append(example)

    def __getitem__(self, category):
        return self.counts[category]

    def faults(self, allowed=()):
        """Categories that are neither right nor allowed, with their counts."""
        good = {"right", "server right", "wire right", "status right", "id right", *allowed}
        return {name: (count, self.examples[name]) for name, count in self.counts.items()
                if name not in good and count}


def judge(span, parent, tally, side=""):
    """Counts one link: parent is the true parent's (trace, span), or None for a root."""
    where = (path_of(span), span["span"], span["parent"], span["attributes"].get("tagalong.parent.guess"))
    if parent is None:
        tally.add(f"{side}wrong" if span["parent"] else f"{side}right", where)
    elif (span["trace"], span["parent"]) == parent:
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


def _check_server(requests, servers, tally):
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
        same = attribute(span, "http.response.status_code") == request.status
        tally.add("status right" if same else "status wrong", (request.target, request.status, span["attributes"]))
        returned = request.returned("x-request-id")
        wanted = request.request_id or (returned[0] if returned else None)
        same = wanted and returned == [wanted] and request_id_of(span) == wanted
        tally.add("id right" if same else "id wrong", (request.target, wanted, returned, request_id_of(span)))
    return found


def check(service, requests, records, spans, proxy=False):
    """Counts every link of `service`: server spans, client spans, and what the backend saw."""
    tally = Tally()
    by_path = {SERVER: defaultdict(list), CLIENT: defaultdict(list)}
    for span in spans:
        if span["resource"].get("service.name") == service and span["kind"] in by_path:
            by_path[span["kind"]][path_of(span)].append(span)
    known = {request.path: request for request in requests}
    servers = _check_server(requests, by_path[SERVER], tally)
    for record in records:
        path = urlsplit(record["target"]).path
        candidates = by_path[CLIENT].get(path, [])
        if len(candidates) != 1:
            tally.add("double" if candidates else "missing", path)
            continue
        span = candidates[0]
        parent = servers.get(path if proxy else path.rsplit(".", 1)[0])
        if parent is None:
            continue
        right = judge(span, (parent["trace"], parent["span"]), tally)
        wire = header(record, "traceparent")
        same = len(wire) == 1 and wire[0].split("-")[1:3] == [span["trace"], span["span"]]
        tally.add("wire right" if same else "wire wrong", (path, wire, span["trace"], span["span"]))
        if right:
            wanted = request_id_of(parent)
            same = wanted and header(record, "x-request-id") == [wanted] and request_id_of(span) == wanted
            tally.add("id right" if same else "id wrong",
                      (path, wanted, header(record, "x-request-id"), request_id_of(span)))
        request = known[path if proxy else path.rsplit(".", 1)[0]]
        status = next((int(part[7:]) for part in request.query.split("&") if part.startswith("status=")), 200)
        same = attribute(span, "http.response.status_code") == status
        tally.add("status right" if same else "status wrong", (path, status, span["attributes"]))
    seen = {urlsplit(record["target"]).path for record in records}
    strays = [path for path in by_path[CLIENT] if path not in seen]
    strays += [path for path in by_path[SERVER] if path not in known]
    for path in strays:
        tally.add("stray", path)
    return tally
