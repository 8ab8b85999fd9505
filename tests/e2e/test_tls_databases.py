# test_tls_databases.py - databases over TLS: what began in the clear goes on, encrypted.
import shutil

import pytest

from tagalong_e2e import databases, tls
from tagalong_e2e import machine as machine_module
from tagalong_e2e.launcher import PYTHON
from tagalong_e2e.tree import CLIENT

PG8000 = """
import os, pg8000
db = pg8000.connect(host='localhost', port=int(os.environ['PORT']), user='old',
                    password=os.environ['DB_PASSWORD'], database='shop', ssl=True)
cursor = db.cursor()
cursor.execute("SELECT count(*) FROM items WHERE name <> 'secret'")
print(cursor.fetchone()[0])
cursor.execute('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
print(cursor.fetchone()[0])
db.close()
"""
ASYNCPG = """
import asyncio, os, ssl, asyncpg
async def main():
    c = ssl.create_default_context(cafile=os.environ['CA'])
    db = await asyncpg.connect(host='localhost', port=int(os.environ['PORT']), user=os.environ['DB_USER'],
                               password=os.environ['DB_PASSWORD'], database='shop', ssl=c)
    print(await db.fetchval("SELECT count(*) FROM items WHERE name <> 'secret'"))
    print(await db.fetchval('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'))
    await db.close()
asyncio.run(main())
"""
PYMYSQL = """
import os, pymysql
db = pymysql.connect(host='127.0.0.1', port=int(os.environ['PORT']), user=os.environ['DB_USER'],
                     password=os.environ['DB_PASSWORD'], database='shop', ssl={'ca': os.environ['CA']})
cursor = db.cursor()
cursor.execute("SELECT count(*) FROM items WHERE name <> 'secret'")
print(cursor.fetchone()[0])
cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
print(bool(cursor.fetchone()[1]))
db.close()
"""
REDIS = """
import os, redis
db = redis.Redis(host='localhost', port=int(os.environ['PORT']), ssl=True, ssl_ca_certs=os.environ['CA'])
db.set('key', 'secret')
print(db.get('key'))
"""
NODE_PG = """
const { Client } = require('pg');
const db = new Client({
  host: 'localhost', port: Number(process.env.PORT), user: process.env.DB_USER, password: process.env.DB_PASSWORD,
  database: 'shop', ssl: { ca: require('fs').readFileSync(process.env.CA) } });
(async () => {
  await db.connect();
  console.log((await db.query("SELECT count(*) FROM items WHERE name <> 'secret'")).rows[0].count);
  console.log((await db.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows[0].ssl ? 'True' : '');
  await db.end();
})();
"""
NODE_MYSQL2 = """
(async () => {
  const db = await require('mysql2/promise').createConnection({
    host: 'localhost', port: Number(process.env.PORT), user: process.env.DB_USER, password: process.env.DB_PASSWORD,
    database: 'shop', ssl: { ca: require('fs').readFileSync(process.env.CA) } });
  console.log((await db.query("SELECT count(*) FROM items WHERE name <> 'secret'"))[0][0]['count(*)']);
  console.log((await db.query("SHOW STATUS LIKE 'Ssl_cipher'"))[0][0].Value ? 'True' : '');
  await db.end();
})();
"""
NODE_IOREDIS = """
const db = new (require('ioredis'))({
  host: 'localhost', port: Number(process.env.PORT), tls: { ca: require('fs').readFileSync(process.env.CA) } });
(async () => { await db.set('key', 'secret'); console.log(`b'${await db.get('key')}'`); db.disconnect(); })();
"""


@pytest.fixture
def certificates(machine):
    return tls.Certificates(machine)


def see(machine, collector, certificates, server, port, script):
    """What a driver prints, bare and traced, and its spans."""
    env = {**server, "PORT": port, "CA": certificates.authority}
    argv = ["node", "-e", script] if "require(" in script else [PYTHON, "-c", script]
    bare = machine.run(argv, env)
    assert bare.returncode == 0, bare.stderr
    process = machine.start_traced(argv, "driver", collector.endpoint, env)
    assert process.wait(30) == 0, machine.log(process)
    assert machine.log(process) == bare.stdout
    return bare.stdout, sorted(collector.spans(), key=lambda span: span["start"])


def check(spans, system, port):
    for span in spans:
        attributes = span["attributes"]
        assert span["kind"] == CLIENT and "secret" not in str(span), span
        assert attributes["db.system.name"] == system, span
        assert (attributes["network.peer.address"], attributes["network.peer.port"]) == ("127.0.0.1", port)
    assert {span["attributes"].get("tls.protocol.version") for span in spans} <= {None, "1.2", "1.3"}
    assert spans[-1]["attributes"]["tls.protocol.version"]


@pytest.mark.parametrize("script", [PG8000, ASYNCPG, NODE_PG], ids=["pg8000", "asyncpg", "node-pg"])
def test_postgresql_goes_on_encrypted(machine, collector, certificates, script):
    server = databases.Postgres(machine)
    server.reset()
    for name in ("crt", "key"):
        copy = server.directory / "data" / f"server.{name}"
        shutil.copy(machine.directory / f"server.{name}", copy)
        copy.chmod(0o600)
        if server.as_user:
            shutil.chown(copy, server.as_user["user"], server.as_user["group"])
    server.admin("ALTER SYSTEM SET ssl = on")
    server.admin("SELECT pg_reload_conf()")
    machine_module.wait_for(lambda: server.admin("SHOW ssl") == "on", "PostgreSQL offers TLS")
    printed, spans = see(machine, collector, certificates, server.variables(), server.port, script)
    assert printed == "5\nTrue\n"
    check(spans, "postgresql", server.port)
    # pg8000 prepares each statement, and tells the server so in a message of its own.
    texts = [span["attributes"].get("db.query.text") for span in spans
             if span["attributes"].get("db.operation.name") != "PREPARE"]
    assert texts.count("SELECT count(*) FROM items WHERE name <> ?") == 1


@pytest.mark.parametrize("script", [PYMYSQL, NODE_MYSQL2], ids=["pymysql", "node-mysql2"])
def test_mariadb_goes_on_encrypted(machine, collector, certificates, script):
    server = databases.Maria(
        machine, f"--ssl-cert={certificates.server}", f"--ssl-key={certificates.server}")
    server.reset()
    printed, spans = see(machine, collector, certificates, server.variables(), server.port, script)
    assert printed == "5\nTrue\n"
    check(spans, "mariadb", server.port)
    texts = [span["attributes"].get("db.query.text") for span in spans]
    assert texts.count("SELECT count(*) FROM items WHERE name <> ?") == 1


@pytest.mark.parametrize("script", [REDIS, NODE_IOREDIS], ids=["redis-py", "node-ioredis"])
def test_redis_over_tls_is_redis(machine, collector, certificates, script):
    port = machine_module.free_port()
    machine.start_server(
        ["redis-server", "--port", "0", "--tls-port", port, "--tls-cert-file", certificates.server, "--tls-key-file",
         certificates.server, "--tls-ca-cert-file", certificates.authority, "--tls-auth-clients", "no", "--save", ""],
        port)
    printed, spans = see(machine, collector, certificates, {}, port, script)
    assert printed == "b'secret'\n"
    check(spans, "redis", port)
    assert [span["name"].split()[0].upper() for span in spans][-2:] == ["SET", "GET"]
