# kinds.py - the kinds of requests that a front service gets, and how it is to make their calls.
#
# A request is /n/SEED/NUMBER?QUERY. The query says what the front does:
#   calls=N     so many calls, the k-th with the id SEED/NUMBER.k
#   mode=M      how (below); one after the other over kept-alive connections without it
# and, because the front passes it on, what the backend does with each of them:
#   status=N, delay=MS, reset=1 (hangs up instead of answering)
# Every call that a request causes has its id in what is sent: the URL, an alias (SELECT 1 AS
# id_SEED_NUMBER_k), a key (n:SEED/NUMBER.k). So the truth is in the data.
import random

from .driver import Request

KINDS = {
    "sequential": "calls=3",  # one after the other
    "none": "calls=0",
    "parallel": "calls=3&mode=par",  # at once
    "fan": "calls=100&mode=par",  # a fan-out of a hundred
    "slow": "calls=1&delay=60",
    "timer": "calls=2&mode=timer",  # after a timer
    "later": "calls=2&mode=later",  # in the callback of a timer
    "name": "calls=2&mode=name",  # by name, over new connections: the name is resolved each time
    "new": "calls=2&mode=new",  # over new connections
    "pool": "calls=3&mode=pool",  # over a pool of 4 kept-alive connections
    "late": "calls=2",  # after a request body that came slowly
    "post": "calls=1",  # with the request's body
    "queue": "calls=2&mode=queue",  # after the worker of an in-process queue has answered
    "handoff": "calls=2&mode=handoff",  # by that worker, which gets its context with the job
    "thread": "calls=2&mode=thread",  # after another thread has done something
    "executor": "calls=2&mode=executor",  # in a thread of an executor
    "worker": "calls=2&mode=worker",  # after a thread with a loop of its own has answered
    "postgres": "calls=3&mode=postgres",  # queries through a pool of 4 connections
    "redis": "calls=3&mode=redis",  # commands through a pool of 4 connections
    "shared": "calls=3&mode=shared",  # commands over one connection for all requests
    "gone": "calls=3&delay=15",  # the client hangs up in mid-request
    "error": "calls=2&status=500",
    "absent": "calls=2&status=404",
    "reset": "calls=2&reset=1",  # the backend hangs up without an answer
    "refused": "calls=2&mode=refused",  # another backend, asked first, is not there
    # For programs that only pass requests on, or know no modes.
    "seq1": "calls=1",
    "seq2": "calls=2",
    "seq3": "calls=3",
    "par3": "calls=3&mode=par",
}


def _shape(request, kind, number, rng):
    """What is special about a kind beyond its query."""
    if kind in ("post", "late"):
        request.method, request.body = "POST", bytes(rng.randrange(256) for _ in range(1 + number % 3000))
    if kind == "late":
        request.body += b"12"
        request.pause = 0.005
    if kind == "gone":
        request.leave = 0.02


def make_requests(count, kinds, seed=1):
    """A mix of kinds; every third has a traceparent, every fourth a request ID, so all combinations."""
    rng = random.Random(seed)
    requests = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        request = Request(path=f"/n/{seed:x}/{number:x}", query=f"{KINDS[kind]}&kind={kind}")
        _shape(request, kind, number, rng)
        if number % 3 == 0:
            request.trace_id, request.span_id = f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(64):016x}"
        if number % 4 == 0:
            request.request_id = f"driver-{seed:x}-{number:x}"
        requests.append(request)
    rng.shuffle(requests)
    return requests
