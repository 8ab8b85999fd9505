# test_accuracy.py - the links of every program against the tree that travels in its data.
import os

import pytest

from measure import links, measure
from runtimes import RUNTIMES

LONG = bool(os.environ.get("TAGALONG_LONG"))


def chosen(runtimes):
    return {"argnames": "runtime", "argvalues": [one for one in runtimes if LONG or not one.long],
            "ids": lambda runtime: runtime.name}


def some(kinds):
    """How many requests: several of each kind, and more than are served at once."""
    return 5000 if LONG else max(72, 4 * len(kinds))


@pytest.mark.parametrize(**chosen(RUNTIMES))
def test_no_link_is_wrong_unless_it_says_so(receiver, databases, runtime):
    requests, tally = measure(runtime, receiver, databases, runtime.kinds, 64, some(runtime.kinds))
    print(dict(tally.counts))
    assert not tally.faults(() if runtime.exact else ("orphan", "marked"))
    assert tally["server right"] >= len(requests)


@pytest.mark.parametrize(**chosen(one for one in RUNTIMES if one.agent and (LONG or one.name == "node-http")))
def test_measure_finds_no_fault_with_the_language_agent(receiver, databases, runtime):
    kinds = [kind for kind in runtime.kinds if kind not in runtime.agent_fails]
    requests, tally = measure(runtime, receiver, databases, kinds, 64, some(kinds), tracer="otel")
    assert not tally.faults()
    assert links(tally)["right"] >= len(requests)
