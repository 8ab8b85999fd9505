# stores.py - what tracing costs clients of PostgreSQL and Redis: pgbench and redis-benchmark, bare and traced in turns.
import re
import statistics
import subprocess

from tagalong_e2e import machine
from tagalong_e2e.postgres import Postgres

ROUNDS = 7


def alternate(host, run, endpoint):
    """Medians of what run(argv -> list of results) gives for the program itself and under `tagalong run`."""
    traced = [machine.TAGALONG, "run", "--service", "client", "--"]
    results = {"bare": [], "traced": []}
    for _ in range(ROUNDS):
        for name in results:
            env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if name == "traced" else {}

            def start(*argv):
                result = host.run([*(traced if name == "traced" else []), *argv], env=env, timeout=120)
                assert result.returncode == 0, result.stderr
                return result.stdout

            results[name].append(run(start))
    return [[statistics.median(values) for values in zip(*results[name])] for name in results]


def measure_pgbench(host, endpoint, row):
    server = Postgres()
    where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", server.user]
    try:
        # What the server does on its own between the turns would be counted as ours; nor do clients wait for each other's rows.
        for setting in ("autovacuum = off", "checkpoint_timeout = '1h'", "max_wal_size = '8GB'"):
            server.ask(f"ALTER SYSTEM SET {setting}")
        server.ask("SELECT pg_reload_conf()")
        subprocess.run([server.bin / "pgbench", *where, "-i", "-q", "-s", "16", server.database], check=True,
                       capture_output=True)
        for mode in ("simple", "prepared"):
            def run(start, mode=mode):
                told = start(server.bin / "pgbench", *where, "-n", "-c", "8", "-j", "2", "-M", mode, "-T", "3",
                             server.database)
                return [float(re.search(r"tps = ([\d.]+)", told).group(1))]

            (bare,), (traced,) = alternate(host, run, endpoint)
            row(f"pgbench -c 8 -j 2 -M {mode}: transactions", f"{bare:.0f}/s", f"{traced:.0f}/s",
                f"{100 * traced / bare:.0f} % kept", ">= 95 %")
    finally:
        server.close()


def measure_redis(host, endpoint, row):
    port = machine.free_port()
    server = host.start_server(["/usr/bin/redis-server", "--port", str(port), "--save", ""], port)
    tests = ("set", "get")

    def run(start):
        told = start("/usr/bin/redis-benchmark", "-p", str(port), "-P", "16", "-n", "1000000", "-t", ",".join(tests), "-q")
        return [float(rate) for rate in re.findall(r"([\d.]+) requests per second", told)]

    bare, traced = alternate(host, run, endpoint)
    for name, before, after in zip(tests, bare, traced):
        row(f"redis-benchmark -P 16 -t {name}: commands", f"{before:.0f}/s", f"{after:.0f}/s",
            f"{100 * after / before:.0f} % kept", ">= 90 %")
    host.stop(server)


def measure(start_sink, row):
    host = machine.Machine("stores")
    try:
        endpoint = f"http://127.0.0.1:{start_sink(host)}"
        measure_pgbench(host, endpoint, row)
        measure_redis(host, endpoint, row)
    finally:
        host.close()
