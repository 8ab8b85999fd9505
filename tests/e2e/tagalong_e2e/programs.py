# programs.py - the real programs as front services of the known tree: how each is started.
import json
import os
import shutil
import time
from dataclasses import dataclass

from . import machine

APP_KINDS = ["seq1", "seq2", "seq3", "none", "error", "absent", "slow", "post"]
PAR_KINDS = [*APP_KINDS, "par3"]
PROXY_KINDS = ["seq1", "error", "absent", "slow", "post"]


@dataclass
class Front:
    """A program: start(machine, port, backend port) gives its argv and environment."""

    name: str
    start: object
    kinds: list
    proxy: bool = False
    exact: bool = True  # every link must be right; else orphans and marked guesses are allowed
    concurrency: int = 64


def write(machine_, name, text):
    path = machine_.directory / name
    if not path.exists() or path.read_text() != text:  # a second start must not change a page's date
        path.write_text(text)
    path.chmod(0o644)
    return path


NGINX = """
daemon off;
worker_processes {workers};
{user}
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        {server}
    }}
}}
"""


def nginx_config(machine_, port, server, http="", workers=4):
    user = "user www-data;" if os.getuid() == 0 else ""
    return write(machine_, "nginx.conf", NGINX.format(
        dir=machine_.directory, port=port, server=server, http=http, workers=workers, user=user))


def nginx_argv(config):
    return [shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-e", config.with_name("error.log"), "-c", config]


def nginx_static(machine_, port, backend):
    write(machine_, "page.txt", "a static page\n" * 500)
    return nginx_argv(nginx_config(
        machine_, port, f"root {machine_.directory}; location / {{ try_files /page.txt =404; }}"
        " error_page 405 =200 $uri;")), {}


def nginx_proxy(machine_, port, backend):
    http = f"upstream back {{ server 127.0.0.1:{backend}; keepalive 32; }}"
    server = ("location / { proxy_pass http://back; proxy_http_version 1.1;"
              " proxy_set_header Connection \"\"; }")
    return nginx_argv(nginx_config(machine_, port, server, http)), {}


def apache_config(machine_, port, mpm, body, workers):
    modules = ["mpm_" + mpm, "authz_core", "proxy", "proxy_http"]
    lines = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules]
    lines += [f"ServerRoot {machine_.directory}", f"DefaultRuntimeDir {machine_.directory}",
              f"PidFile {machine_.directory}/apache.pid", f"ErrorLog {machine_.directory}/apache.log",
              "ServerName localhost", f"Listen 127.0.0.1:{port}", "ListenBacklog 1024", "KeepAlive On",
              "MaxKeepAliveRequests 0", "KeepAliveTimeout 20"]
    if os.getuid() == 0:
        lines += ["User www-data", "Group www-data"]
    if mpm == "prefork":
        lines += [f"StartServers {workers}", f"MinSpareServers {workers}", f"MaxSpareServers {workers}",
                  f"ServerLimit {workers}", f"MaxRequestWorkers {workers}"]
    else:
        lines += ["StartServers 2", "ServerLimit 4", "ThreadsPerChild 32", "MaxRequestWorkers 128"]
    return write(machine_, "apache.conf", "\n".join([*lines, body, ""]))


def apache(mpm, workers=0):
    def start(machine_, port, backend):
        config = apache_config(
            machine_, port, mpm,
            f"ProxyPass / http://127.0.0.1:{backend}/\nProxyPassReverse / http://127.0.0.1:{backend}/", workers)
        return ["/usr/sbin/apache2", "-DFOREGROUND", "-f", config], {}
    return start


def haproxy(machine_, port, backend):
    config = write(machine_, "haproxy.cfg", f"""
global
    maxconn 1000
    nbthread 2
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s
    http-reuse always
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one 127.0.0.1:{backend}
""")
    return ["/usr/sbin/haproxy", "-db", "-f", config], {}


def node(script):
    return lambda machine_, port, backend: (["node", machine.PROGRAMS / script], {})


def python(script):
    return lambda machine_, port, backend: (["/usr/bin/python3", machine.PROGRAMS / script], {})


def gunicorn(*options):
    # A worker whose connection idles is waited for: for as long as the tests wait for the whole, if it isn't told.
    def start(machine_, port, backend):
        return ["/usr/bin/gunicorn", "--chdir", machine.PROGRAMS, "--bind", f"127.0.0.1:{port}", "--log-level", "warning",
                "--backlog", "512", "--graceful-timeout", "5", *options, "front_flask:app"], {}
    return start


def php(client):
    def start(machine_, port, backend):
        return ["/usr/bin/php", "-d", "variables_order=EGPCS", "-S", f"127.0.0.1:{port}",
                machine.PROGRAMS / "front.php"], {"CLIENT": client, "PHP_CLI_SERVER_WORKERS": 6}
    return start


def ruby(machine_, port, backend):
    return ["/usr/bin/ruby", machine.PROGRAMS / "front.rb"], {}


def java(client):
    def start(machine_, port, backend):
        classes = machine.BUILD / "tests" / "java"
        return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", classes, "Front"], {"CLIENT": client}
    return start


FRONTS = [
    Front("nginx-proxy", nginx_proxy, PROXY_KINDS, proxy=True),
    Front("nginx-static", nginx_static, ["none"], proxy=True),
    Front("apache-prefork", apache("prefork", 24), PROXY_KINDS, proxy=True, concurrency=24),
    Front("apache-event", apache("event"), PROXY_KINDS, proxy=True),
    Front("haproxy", haproxy, PROXY_KINDS, proxy=True),
    Front("python-http.server", python("front_http_server.py"), APP_KINDS),
    Front("gunicorn-sync", gunicorn("--workers", "6"), APP_KINDS),
    Front("gunicorn-gthread", gunicorn("--worker-class", "gthread", "--workers", "2", "--threads", "16"), APP_KINDS),
    Front("php-stream", php("stream"), APP_KINDS),
    Front("php-curl", php("curl"), APP_KINDS),
    Front("ruby-webrick", ruby, APP_KINDS),
    Front("java-url", java("url"), APP_KINDS),
    Front("java-client", java("client"), APP_KINDS, exact=False),
    Front("node-http", node("front_http.js"), PAR_KINDS, exact=False),
    Front("node-express", node("front_express.js"), APP_KINDS, exact=False),
    Front("node-fetch", node("front_fetch.js"), PAR_KINDS, exact=False),
    Front("aiohttp", python("front_aiohttp.py"), PAR_KINDS),
]


def stop_front(machine_, process):
    """Ends a front service a moment after its last answer: killed in between, its last request has not ended."""
    time.sleep(0.3)
    machine_.stop(process, timeout=30)


def start_recorder(machine_, certificate=None):
    """Starts the backend, encrypted with a certificate; returns its port and a function that gives what it saw."""
    path = machine_.directory / "backend.jsonl"
    process = machine_.start(["/usr/bin/python3", machine.E2E / "tagalong_e2e" / "recorder.py", path, *([certificate] if certificate else [])])
    port = int(machine.wait_for(lambda: machine_.log(process).strip(), "the recorder's port"))
    return port, lambda: [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def start_front(machine_, front, backend, endpoint=None, backend_host="http://127.0.0.1"):
    """Starts a front service, traced if there is an endpoint; returns its process and port."""
    port = machine.free_port()
    argv, env = front.start(machine_, port, backend)
    traced = {"service": front.name, "endpoint": endpoint} if endpoint else None
    process = machine_.start_server(
        argv, port, traced, {"PORT": port, "BACKEND": f"{backend_host}:{backend}", **env})
    return process, port
