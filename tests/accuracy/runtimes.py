# runtimes.py - the programs whose links are counted: how each is started and which kinds it knows.
import os
from dataclasses import dataclass
from pathlib import Path

from tagalong_e2e import machine as machine_module
from tagalong_e2e import programs

PROGRAMS = Path(__file__).parent / "programs"
AGENT = machine_module.BUILD / "otel" / "node_modules" / "@opentelemetry" / "auto-instrumentations-node"
DATABASES = {"postgres": "postgres", "redis": "redis", "shared": "redis"}  # kind -> server


@dataclass
class Runtime:
    """A front service: start(machine, port, backend port) gives its argv and environment."""

    name: str
    start: object
    kinds: list
    proxy: bool = False
    exact: bool = False  # every link must be right; else calls may be orphans or marked guesses
    limit: int = 64  # how many requests it can serve at once
    chain: int = 0  # so many instances, each calling the next one, behind nginx
    behind: object = None  # the web server that hands its requests on: start(machine, port, service's port)
    long: bool = False  # not in `make test`: another runtime there shows nearly the same
    agent: bool = False  # the language agent of Node.js can take tagalong's place
    agent_fails: tuple = ()  # kinds in which it is wrong itself

    @property
    def databases(self):
        return sorted({DATABASES[kind] for kind in self.kinds if kind in DATABASES})


BASIC = ["sequential", "none", "slow", "post", "late", "error", "absent", "reset", "gone", "new", "refused"]
NODE = [*BASIC, "parallel", "fan", "timer", "later", "name", "pool", "queue", "handoff", "thread", "worker",
        "postgres", "redis", "shared"]
ASYNCIO = [*BASIC, "parallel", "fan", "timer", "later", "name", "pool", "queue", "handoff", "thread", "executor",
           "worker", "postgres", "redis", "shared"]
FPM_KINDS = ["sequential", "none", "slow", "post", "late", "error", "absent", "reset", "new", "refused", "parallel",
             "timer", "name", "postgres", "redis"]
THREADS = [*BASIC, "parallel", "timer", "later", "name", "pool", "queue", "handoff", "thread", "executor", "worker",
           "postgres", "redis"]
PUMA = [kind for kind in THREADS if kind not in ("later", "executor")]
# Java 17: no virtual threads.
JAVA = [*BASIC, "parallel", "timer", "later", "name", "thread", "executor", "worker", "postgres"]
LOOP = ["sequential", "none", "slow", "post", "late", "error", "absent", "reset", "gone", "new", "parallel", "fan",
        "timer", "pool"]


def node(server="http", client="http", **env):
    def start(machine, port, backend):
        return ["node", PROGRAMS / "front.js"], {"SERVER": server, "CLIENT": client, **env}
    return start


def python(script, **env):
    def start(machine, port, backend):
        return ["/usr/bin/python3", PROGRAMS / script], env
    return start


FPM = """
[global]
error_log = {dir}/fpm.log
daemonize = no
[tcp]
listen = 127.0.0.1:{port}
{pool}
[unix]
listen = {dir}/fpm.sock
listen.mode = 0666
{pool}
"""
FPM_POOL = """
user = www-data
group = www-data
pm = static
pm.max_children = 6
clear_env = no
catch_workers_output = yes
listen.backlog = 512
"""


def php_fpm(machine, port, backend):
    config = programs.write(machine, "fpm.conf", FPM.format(dir=machine.directory, port=port, pool=FPM_POOL))
    found = sorted(Path("/usr/sbin").glob("php-fpm*"))
    root = ["--allow-to-run-as-root"] if os.getuid() == 0 else []
    return [found[-1] if found else "php-fpm", "--nodaemonize", *root, "--fpm-config", config], {}


def nginx_fastcgi(by, more=""):
    """nginx in front of PHP-FPM, over its Unix socket or over TCP."""
    def start(machine, port, behind):
        to = f"unix:{machine.directory}/fpm.sock" if by == "unix" else f"127.0.0.1:{behind}"
        server = (f"location / {{ include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME "
                  f"{PROGRAMS}/front_fpm.php; fastcgi_pass back; {more} }}")
        http = f"upstream back {{ server {to}; keepalive 2; }}"
        # A connection that is kept keeps a process of PHP-FPM from serving others.
        return programs.nginx_argv(programs.nginx_config(machine, port, server, http, workers=2)), {}
    return start


def loop(library, **env):
    return lambda machine, port, backend: ([machine_module.BUILD / "tests" / "accuracy" / f"front_{library}"], env)


def puma(machine, port, backend):
    return ["/usr/bin/puma", "--quiet", "--threads", "16:16", "--bind", f"tcp://127.0.0.1:{port}",
            PROGRAMS / "front_puma.ru"], {}


def java(client):
    def start(machine, port, backend):
        path = f"{machine_module.BUILD}/tests/java:/usr/share/java/postgresql.jar"
        return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", path, "Kinds"], {"CLIENT": client}
    return start


def old(front):
    """A program of the end-to-end tests; it makes calls one after the other, or passes requests on."""
    return Runtime(front.name, front.start, front.kinds, front.proxy, front.exact, limit=front.concurrency,
                   long=front.name == "php-stream")


NGINX = old(programs.FRONTS[0])
RUNTIMES = [
    *[old(front) for front in programs.FRONTS if not front.name.startswith(("node", "aiohttp", "java"))],
    Runtime("node-http", node(), NODE, exact=True, agent=True),
    Runtime("node-express", node(server="express"), NODE, exact=True, agent=True, long=True),
    # undici sends what waits in its pool when an answer makes room, and the agent takes that
    # answer's request for the caller.
    Runtime("node-fetch", node(client="fetch"), [kind for kind in NODE if kind not in DATABASES], exact=True, agent=True,
            agent_fails=("pool",)),
    Runtime("node-chain", node(), ["seq1"], chain=3, exact=True, agent=True),
    Runtime("aiohttp", python("front_aiohttp.py"), ASYNCIO, exact=True),
    Runtime("aiohttp-uvloop", python("front_aiohttp.py", LOOP="uvloop"), ASYNCIO, exact=True, long=True),
    Runtime("fastapi", python("front_asgi.py"), ASYNCIO, exact=True, long=True),
    Runtime("fastapi-uvloop", python("front_asgi.py", LOOP="uvloop"), ASYNCIO, exact=True),
    Runtime("aiohttp-chain", python("front_aiohttp.py"), ["seq1"], chain=3, exact=True, long=True),
    Runtime("python-threads", python("front_threads.py"), THREADS),
    Runtime("puma", puma, PUMA, limit=16),
    Runtime("java-url", java("url"), JAVA),
    Runtime("java-send", java("send"), JAVA),
    Runtime("java-async", java("async"), JAVA, long=True),
    Runtime("php-fpm-unix", php_fpm, FPM_KINDS, behind=nginx_fastcgi("unix"), exact=True),
    Runtime("php-fpm-tcp", php_fpm, FPM_KINDS, behind=nginx_fastcgi("tcp", "fastcgi_keep_conn on;"), exact=True,
            long=True),
    *[Runtime(name, loop(name), LOOP) for name in ("libevent", "libuv", "libev", "asio")],
    Runtime("libevent-poll", loop("libevent", EVENT_NOEPOLL="1"), LOOP, long=True),
    Runtime("libev-select", loop("libev", LIBEV_FLAGS="1"), LOOP, long=True),
]


def agent(argv, endpoint, service):
    """A program of Node.js with its language agent in place of tagalong: argv and environment."""
    env = {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_NODE_RESOURCE_DETECTORS": "env",
        "OTEL_NODE_ENABLED_INSTRUMENTATIONS": "http,undici,pg,ioredis",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
        "OTEL_BSP_MAX_QUEUE_SIZE": "1000000",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    return [argv[0], "--require", AGENT / "build" / "src" / "register.js", *argv[1:]], env
