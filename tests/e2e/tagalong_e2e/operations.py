# operations.py - programs that use a database, and their spans as one operation each.
import json
import re
from collections import Counter, namedtuple

from . import machine as machine_module
from .databases import PASSWORD

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "00000000000000aa"
SECRETS = ("sEcReT", "424242", PASSWORD)
INTERPRETERS = {"py": "/usr/bin/python3", "js": "node", "php": "php", "rb": "ruby"}

Operation = namedtuple("Operation", "name text status rows")


def words_of(program):
    return [INTERPRETERS[program.rsplit(".", 1)[1]], machine_module.PROGRAMS / program]


def run_traced(machine, collector, server, words, env=None):
    """Runs a program to its end under tagalong; its output and its spans, in order."""
    env = {**server.variables(), "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
           "TRACEPARENT": f"00-{TRACE}-{PARENT}-01", **(env or {})}
    done = machine.run([machine_module.TAGALONG, "run", "--service", "client", "--", *words], env, timeout=60)
    assert done.returncode == 0, done.stderr
    spans = sorted(collector.spans(), key=lambda span: span["start"])
    assert "dropped" not in done.stderr, done.stderr
    return done.stdout, spans


def check_common(spans, server, system, namespace=None):
    """What holds for each span of a client of that server."""
    assert not [secret for secret in SECRETS if secret in json.dumps(spans)]
    for span in spans:
        attributes = span["attributes"]
        assert (span["trace"], span["parent"], span["kind"]) == (TRACE, PARENT, 3), span
        assert attributes["db.system.name"] == system
        assert (attributes["server.address"], attributes["server.port"]) == ("127.0.0.1", server.port)
        assert "tagalong.parent.guess" not in attributes
        assert (span["status"] == 2) == ("error.type" in attributes), span
        assert attributes.get("error.type") == attributes.get("db.response.status_code")
        if namespace:
            assert attributes.get("db.namespace") == namespace, span


def operations(spans):
    """Each operation of the spans, batches taken apart."""
    found = []
    for span in spans:
        attributes = span["attributes"]
        count = attributes.get("db.operation.batch.size", 1)
        text = attributes.get("db.query.text", "")
        transaction = attributes.get("db.operation.name", "").startswith("MULTI")
        texts = text.split("; ") if count > 1 or transaction else [text]
        # What frames a transaction is sent and answered as well, but is no operation of the batch.
        count += sum(text.upper() in ("MULTI", "EXEC") for text in texts) if transaction and len(texts) > 1 else 0
        # A text is told once for those that are the same, and of a long pipeline of one command the first ones are.
        if len(texts) == 1 or attributes.get("db.operation.name", "").startswith("PIPELINE "):
            texts += texts[-1:] * (count - len(texts))
        assert len(texts) == count, span
        found += [Operation(attributes.get("db.operation.name"), one, attributes.get("db.response.status_code"),
                            attributes.get("db.response.returned_rows")) for one in texts]
    return found


def masked(text, double_quotes=False):
    """A statement without its literals, told by rules simpler than the real ones: for the tests' statements."""
    strings = r"[Ee]?'(?:[^']|'')*'" + (r"|\"[^\"]*\"" if double_quotes else "")
    text = re.sub(strings, "?", text)
    text = re.sub(r"(?<![\w$])[-+]?\d+(?:\.\d+)?", "?", text)
    return re.sub(r"(VALUES ?\((?:\?|\$\d+)(?:, ?(?:\?|\$\d+))*\))(?:, ?\([?, ]*\))+", r"\1", text)


def commands(found):
    """How often each Redis command was told, named as the server's statistics do."""
    counts = Counter()
    for one in found:
        words = (one.text if one.text else one.name).split(" ")
        container = words[0].lower() in ("config", "client", "acl", "xgroup")
        counts["|".join(words[:2] if container else words[:1]).lower()] += 1
    return counts
