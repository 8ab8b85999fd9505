# test_bytes_programs.py - what a peer of a real program sees, bare and traced, is the same but for our headers.
import pytest

from tagalong_e2e import machine as machine_module
from tagalong_e2e import programs
from tagalong_e2e.raw import CannedServer, added, exchange, without_added, without_dates

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"
CLOSING = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

CLIENTS = {
    "curl": (["curl", "-sS", "--noproxy", "*", "URL/a?b=c", "URL/d"], 2, ANSWER),
    "curl-post": (["curl", "-sS", "--noproxy", "*", "-d", "field=value", "-H", "X-Own: 1", "URL/post"], 1, ANSWER),
    "curl-chunked": (["sh", "-c", "printf body | curl -sS --noproxy '*' -H Expect: -T - URL/put"], 1, ANSWER),
    "curl-expect": (["sh", "-c", "head -c 2000000 /dev/zero | curl -sS --noproxy '*' -H 'Expect: 100-continue'"
                     " --data-binary @- URL/big"], 1, ANSWER),
    "curl-http1.0": (["curl", "-sS", "--noproxy", "*", "-0", "URL/old"], 1, CLOSING),
    "curl-head": (["curl", "-sSI", "--noproxy", "*", "URL/head"], 1, ANSWER.replace(b"hello\n", b"")),
    "wget": (["wget", "-q", "--no-proxy", "-O", "-", "URL/a?b=c", "URL/d"], 2, ANSWER),
    "python-urllib": (["/usr/bin/python3", "-c", "import sys, urllib.request as r\n"
                       "for path in 'ab': r.urlopen(sys.argv[1] + '/' + path).read()", "URL"], 2, CLOSING),
    "python-requests": (["/usr/bin/python3", "-c", "import sys, requests\ns = requests.Session()\n"
                         "for path in 'abc': s.post(sys.argv[1] + '/' + path, json={'a': 1}).text", "URL"], 3, ANSWER),
    "python-aiohttp": (["/usr/bin/python3", "-c", "import sys, asyncio, aiohttp\n"
                        "async def main():\n async with aiohttp.ClientSession() as s:\n"
                        "  for path in 'abc':\n   async with s.get(sys.argv[1] + '/' + path) as r: await r.text()\n"
                        "asyncio.run(main())", "URL"], 3, ANSWER),
    "node-http": (["node", "-e", "const http = require('http'), agent = new http.Agent({keepAlive: true});"
                   "const get = (n) => n && http.get(process.argv[1] + '/' + n, {agent}, (r) => r.resume()"
                   ".on('end', () => n > 1 ? get(n - 1) : agent.destroy())); get(3)", "URL"], 3, ANSWER),
    "node-fetch": (["node", "-e", "(async () => { for (const body of ['a', 'bb'])"
                    " await (await fetch(process.argv[1] + '/', {method: 'POST', body})).text(); process.exit() })()",
                    "URL"], 2, ANSWER),
    "php-stream": (["php", "-r", "echo file_get_contents($argv[1] . '/a');", "--", "URL"], 1, CLOSING),
    "php-curl": (["php", "-r", "$c = curl_init($argv[1] . '/a'); curl_exec($c); curl_exec($c);", "--", "URL"], 2, ANSWER),
    "ruby": (["ruby", "-rnet/http", "-e", "u = URI(ARGV[0]); Net::HTTP.start(u.host, u.port) { |h|"
              " h.get('/a'); h.post('/b', 'body', 'Content-Type' => 'text/plain') }", "URL"], 2, ANSWER),
}


def see_client(machine, argv, answer, port, traced):
    server = CannedServer(answer, port)
    argv = [word.replace("URL", f"http://127.0.0.1:{server.port}") for word in argv]
    process = machine.start_traced(argv, "client") if traced else machine.start(argv)
    code = process.wait(30)
    server.close()
    return server.port, code, machine.log(process), list(server.requests)


@pytest.mark.parametrize("name", CLIENTS)
def test_server_sees_the_same_client(machine, name):
    argv, count, answer = CLIENTS[name]
    port, bare_code, bare_output, bare = see_client(machine, argv, answer, 0, False)
    _, code, output, traced = see_client(machine, argv, answer, port, True)
    assert (code, output) == (bare_code, bare_output)
    assert [without_added(request) for request in traced] == bare
    assert added(b"".join(bare)) == {"traceparent": 0, "tracestate": 0, "x-request-id": 0}
    assert added(b"".join(traced)) == {"traceparent": count, "tracestate": 0, "x-request-id": count}


PLAIN = b"GET /n/1/1?calls=1 HTTP/1.1\r\nHost: test\r\n\r\n"
END = b"GET /n/1/e?calls=1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
# What is sent on one connection; how many final answers come back at most.
TALKS = {
    "keep-alive": PLAIN * 3 + END,
    "head": b"HEAD /n/1/2?calls=0 HTTP/1.1\r\nHost: test\r\n\r\n" + END,
    "post": b"POST /n/1/3?calls=1 HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\n" + b"b" * 5000 + END,
    "chunked": b"POST /n/1/4?calls=1 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"5;a=b\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n" + END,
    "expect": b"POST /n/1/5?calls=1 HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody" + END,
    "old": b"GET /n/1/6?calls=1 HTTP/1.0\r\nHost: test\r\n\r\n",
    "old-keep-alive": b"GET /n/1/7?calls=0 HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n",
    "range": b"GET /n/1/8?calls=1 HTTP/1.1\r\nHost: test\r\nRange: bytes=2-5\r\n\r\n" + END,
    "bad": b"GET /n/1/9?calls=1 HTTP/1.1\r\nNo colon here\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP at all\r\n\r\n",
}
SERVERS = ["nginx-static", "nginx-proxy", "apache-event", "haproxy", "gunicorn-sync", "php-stream", "ruby-webrick",
           "java-url", "node-http", "node-express", "aiohttp"]


# PHP's server can't take a second request on a connection.
SINGLE = ("old", "bad", "garbage")


def see_server(machine, front, port, backend_port, traced):
    """Everything that clients and the backend see of a front service, in order."""
    backend = CannedServer(ANSWER, backend_port)
    argv, env = front.start(machine, port, backend.port)
    env = {"PORT": port, "BACKEND": f"http://127.0.0.1:{backend.port}", **env}
    process = machine.start_server(argv, port, {"service": front.name} if traced else None, env)
    talks = {name: talk for name, talk in TALKS.items() if name in SINGLE or not front.name.startswith("php")}
    seen = {name: exchange(port, talk, patience=1 if name in ("bad", "garbage", "old-keep-alive") else 20)
            for name, talk in talks.items()}
    if "keep-alive" in talks:
        seen["dribble"] = exchange(port, TALKS["keep-alive"], piece=1)
    machine.stop(process)
    backend.close()
    return backend.requests, seen


@pytest.mark.parametrize("name", SERVERS)
def test_client_and_backend_see_the_same_server(machine, name):
    front = next(one for one in programs.FRONTS if one.name == name)
    port = machine_module.free_port()
    backend_port = machine_module.free_port()
    sent, bare = see_server(machine, front, port, backend_port, False)
    traced_sent, traced = see_server(machine, front, port, backend_port, True)
    for talk, answer in traced.items():
        assert without_dates(without_added(answer)) == without_dates(bare[talk]), talk
        # A server that reads a request answers it with one ID; what is not HTTP may go without.
        finals = sum(answer.count(line) for line in (b"HTTP/1.1 200", b"HTTP/1.0 200", b"HTTP/1.1 206"))
        assert added(bare[talk])["x-request-id"] == 0
        assert (0 if talk == "bad" else finals) <= added(answer)["x-request-id"] <= answer.count(b"HTTP/1."), talk
    assert sorted(without_added(one) for one in traced_sent) == sorted(sent)
    assert added(b"".join(traced_sent)) == {
        "traceparent": len(sent), "tracestate": 0, "x-request-id": len(sent)}
