# test_accuracy.py - every link of every program against the tree that travels in the URLs.
import pytest

from tagalong_e2e.driver import drive, make_requests
from tagalong_e2e.programs import FRONTS, start_front, start_recorder, stop_front
from tagalong_e2e.tree import check


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_every_link_is_right(machine, collector, full, front):
    backend, records = start_recorder(machine)
    process, port = start_front(machine, front, backend, collector.endpoint)
    requests = make_requests(5000 if full else 480, front.kinds, seed=7)
    drive(port, requests, front.concurrency)
    stop_front(machine, process)
    tally = check(front.name, requests, records(), collector.spans(), front.proxy)
    print(dict(tally.counts), machine.log(process))
    allowed = () if front.exact else ("orphan", "marked")
    assert not tally.faults(allowed)
    assert tally["server right"] == len(requests)
