# test_accuracy.py - the links of every program against the tree that travels in its data.
import pytest

from measure import links, measure
from runtimes import RUNTIMES

NAMED = {"ids": lambda runtime: runtime.name}


def faults(tally, allowed):
    """What is not right, less the links that are allowed not to be."""
    return tally.faults([*allowed, *(f"server {name}" for name in allowed)])


@pytest.mark.parametrize("runtime", RUNTIMES, **NAMED)
def test_no_link_is_wrong_unless_it_says_so(receiver, databases, full, runtime):
    requests, tally = measure(runtime, receiver, databases, runtime.kinds, 64, 5000 if full else 160)
    print(dict(tally.counts))
    if runtime.pending:
        pytest.skip(f"{runtime.pending}: {links(tally)}")
    assert not faults(tally, () if runtime.exact else runtime.allowed)
    assert tally["server right"] >= len(requests)


@pytest.mark.parametrize("runtime", [one for one in RUNTIMES if one.agent], **NAMED)
def test_measure_finds_no_fault_with_the_language_agent(receiver, databases, full, runtime):
    kinds = [kind for kind in runtime.kinds if kind not in runtime.agent_fails]
    requests, tally = measure(runtime, receiver, databases, kinds, 64, 5000 if full else 80, tracer="otel")
    assert not tally.faults()
    assert links(tally)["right"] >= len(requests)
