#!/usr/bin/python3
# accuracy.py - counts the links of every runtime's spans against the tree that is known from the data.
#
#   /usr/bin/python3 tests/accuracy/accuracy.py BUILD [--runtime NAME]... [--kind KIND]... [--concurrency N]...
#       [--tracer tagalong|otel] [--requests N] [--apart] [--faults]
#
# Without --runtime all of them, else those whose name begins so (`node`, `node-http`); without
# --kind all kinds that a runtime knows, mixed; --apart measures each kind by itself. Concurrency is
# 1, 8 and 64 by default. --faults shows the first of each kind of fault. --list tells what there is.
# `otel` puts the OpenTelemetry agent of Node.js in tagalong's place: it must be right everywhere,
# or the measure is wrong. Before: make all peers (build/node/installed, build/otel/installed).
#
# A line is one run: `links` are those of server spans to their callers and of calls to the requests
# that made them; `marked` are wrong ones that say that they are guesses; `missing` and `double`
# count spans; `other` is what else is not as the peers saw it (headers, status, request IDs). Ends
# with 1 if a link is wrong and not marked, or if a runtime that is to be exact has another fault.
import argparse
import os
import sys
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runtime", action="append", default=[])
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--concurrency", action="append", type=int, default=[])
    parser.add_argument("--tracer", choices=["tagalong", "otel"], default="tagalong")
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


OPTIONS = arguments()
os.environ["TAGALONG_BUILD"] = str(Path(OPTIONS.build).resolve())
sys.path[:0] = [str(Path(__file__).parents[1] / "e2e"), str(Path(__file__).parent)]

from measure import LINKS, links, measure  # noqa: E402
from runtimes import RUNTIMES  # noqa: E402
from tagalong_e2e.collector import Receiver  # noqa: E402
from tagalong_e2e.databases import Databases  # noqa: E402


def rounds(runtime):
    """(label, kinds) of each run."""
    fails = runtime.agent_fails if OPTIONS.tracer == "otel" else ()
    wanted = [kind for kind in runtime.kinds if kind not in fails and (not OPTIONS.kind or kind in OPTIONS.kind)]
    if OPTIONS.apart or len(wanted) == 1:
        return [(kind, [kind]) for kind in wanted]
    return [("mixed", wanted)] if wanted else []


def requests_for(kinds, concurrency):
    """Enough of each kind for the concurrency to be there; a fan-out is many calls by itself."""
    if OPTIONS.requests:
        return OPTIONS.requests
    if kinds == ["fan"]:
        return 30 if concurrency == 1 else 2 * concurrency
    return 100 if concurrency == 1 else max(400, 20 * len(kinds))


def line(runtime, label, concurrency, requests, tally):
    """Prints a line of the table; whether nothing is wrong with it."""
    counts = links(tally)
    total = sum(counts[name] for name in LINKS if name not in ("missing", "double"))
    faults = tally.faults()
    others = sum(count for name, (count, _) in faults.items() if name.replace("server ", "") not in LINKS)
    percent = 100 * counts["right"] / (total + counts["missing"]) if total else 0
    print(f"{runtime.name:<20} {label:<11} {concurrency:>4} {len(requests):>5} {total:>6} {percent:>7.2f} "
          + " ".join(f"{counts[name]:>7}" for name in LINKS[1:]) + f" {others:>7}", flush=True)
    if OPTIONS.faults:
        for name, (count, examples) in faults.items():
            print(f"    {name}: {count}")
            for example in examples:
                print(f"        {example}")
    exact = runtime.exact or OPTIONS.tracer == "otel"
    return not (faults if exact else counts["wrong"] or others)


def main():
    names = [one.name for one in RUNTIMES]
    wanted = {name for asked in OPTIONS.runtime or [""] for name in names
              if name == asked or asked not in names and name.startswith(asked)}
    chosen = [one for one in RUNTIMES if one.name in wanted]
    if OPTIONS.tracer == "otel":
        chosen = [one for one in chosen if one.agent]
    if OPTIONS.list:
        for runtime in chosen:
            print(f"{runtime.name}: {' '.join(runtime.kinds)}")
        return 0
    print(f"Links against the known tree, traced by {OPTIONS.tracer}:\n\n{'program':<20} {'kind':<11} {'conc':>4} "
          f"{'reqs':>5} {'links':>6} {'right %':>7} " + " ".join(f"{name:>7}" for name in (*LINKS[1:], "other")))
    receiver, databases = Receiver(), Databases()
    good = True
    try:
        for runtime in chosen:
            for label, kinds in rounds(runtime):
                for concurrency in OPTIONS.concurrency or [1, 8, 64]:
                    requests, tally = measure(runtime, receiver, databases, kinds, concurrency,
                                              requests_for(kinds, concurrency), OPTIONS.tracer)
                    good &= line(runtime, label, concurrency, requests, tally)
    finally:
        databases.close()
        receiver.close()
    return 0 if good else 1


sys.exit(main())
