# eight_hours.py - as many spans as 500 a second make in 8 hours, at full speed: is the exporter's memory flat?
import time

from tagalong_e2e import machine
from writer import Replay

SPANS, STEPS, PRODUCTS = 500 * 8 * 3600, 20, 100_000


def measure(start_sink, row):
    host = machine.Machine("eight-hours")
    try:
        replay = Replay(host, f"http://127.0.0.1:{start_sink(host)}", PRODUCTS)
        sizes, start = [], time.monotonic()
        for _ in range(STEPS):
            replay.write(SPANS // STEPS)
            sizes.append(replay.rss_mb())
        seconds = time.monotonic() - start
        replay.delivered()
        dropped = replay.counts()["dropped"]
        replay.end()
    finally:
        host.close()
    early, late = sizes[STEPS // 10 - 1], sizes[-1]
    row(f"{SPANS / 1e6:.1f} M spans, 8 hours at 500/s: RSS after 10 %, at the end", f"{early:.1f} MB", f"{late:.1f} MB",
        f"{late - early:+.1f} MB, most {max(sizes):.1f}; {SPANS / seconds:.0f}/s, {dropped} dropped", "flat")
