# databases.py - real database servers on loopback, each with its own account of what it was asked.
import os
import pwd
import re
import subprocess

from . import machine as machine_module

USER = "app"
OLD_USER = "old"  # PostgreSQL: for a driver that knows no SCRAM
PASSWORD = "sEcReT-password"
DATABASE = "shop"
POSTGRES = "/usr/lib/postgresql/15/bin"
# Rows that each test finds: id 1 to 5.
ROWS = 5
SCHEMA = ["DROP TABLE IF EXISTS items", "CREATE TABLE items (id integer PRIMARY KEY, name varchar(80))",
          "INSERT INTO items VALUES " + ", ".join(f"({i}, 'name {i}')" for i in range(1, ROWS + 1))]


def as_user(name):
    """How subprocess starts a program as that user: servers refuse to run as root."""
    if os.getuid() != 0:
        return {}
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Server:
    """A server that runs from the first use to the end of the tests."""

    user, password = USER, PASSWORD

    def __init__(self, machine, name, user):
        self.machine = machine
        self.port = machine_module.free_port()
        self.directory = machine.directory / name
        self.directory.mkdir()
        self.as_user = as_user(user)
        if self.as_user:
            os.chown(self.directory, self.as_user["user"], self.as_user["group"])

    def begin(self, *argv):
        self.process = self.machine.start_server(argv, self.port, **self.as_user)

    def prepare(self, *argv):
        done = self.machine.run(argv, timeout=120, **self.as_user)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def variables(self):
        """Where a program finds the server and how it logs in."""
        return {"DB_HOST": "127.0.0.1", "DB_PORT": self.port, "DB_USER": USER, "DB_PASSWORD": PASSWORD,
                "DB_NAME": DATABASE, "DB_SOCKETS": self.directory}


class Postgres(Server):
    def __init__(self, machine):
        super().__init__(machine, "postgres", "postgres")
        data = self.directory / "data"
        self.prepare(f"{POSTGRES}/initdb", "-D", data, "-U", "admin", "--auth=trust", "--no-sync", "-E", "UTF8",
                     "--locale=C.UTF-8")
        (data / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 md5\n")  # md5 takes what is stored as SCRAM by SCRAM
        self.begin(f"{POSTGRES}/postgres", "-D", data, "-p", str(self.port), "-k", self.directory,
                   "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_statement=all",
                   "-c", "log_line_prefix=%u|%e|", "-c", "max_connections=60")
        machine_module.wait_for(lambda: self.admin("SELECT 1") == "1", "PostgreSQL answers")
        self.admin(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        self.admin(f"SET password_encryption = md5; CREATE ROLE {OLD_USER} LOGIN PASSWORD '{PASSWORD}' IN ROLE {USER}")
        self.admin(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    def admin(self, sql, database="postgres"):
        done = self.machine.run(
            ["psql", "-h", self.directory, "-p", str(self.port), "-U", "admin", "-d", database, "-Atqc", sql])
        return done.stdout.strip()

    def reset(self):
        for sql in [*SCHEMA, f"ALTER TABLE items OWNER TO {USER}"]:
            self.admin(sql, DATABASE)
        self.seen = self.process.output.stat().st_size

    def asked(self):
        """The statements since reset() that were not the administrator's, in order."""
        text = self.process.output.read_bytes()[self.seen:].decode(errors="replace")
        # Lines that begin with a tab go on with the statement before.
        entries = re.split(r"\n(?!\t)", text)
        found = []
        for entry in entries:
            name, _, rest = entry.partition("|")
            if name not in (USER, OLD_USER):
                continue
            code, _, rest = rest.partition("|")
            statement = re.match(r"LOG:  (?:statement|execute [^:]*): (.*)", rest, re.S)
            if statement:
                found.append(statement.group(1).replace("\n\t", "\n"))
            refused = re.match(r"STATEMENT:  (.*)", rest, re.S)
            if refused and code == "42601":  # what has a syntax error is logged as refused only
                found.append(refused.group(1).replace("\n\t", "\n"))
        return found


class Maria(Server):
    def __init__(self, machine, *options):
        super().__init__(machine, "mariadb", "mysql")
        data, self.socket = self.directory / "data", self.directory / "s"
        self.log = self.directory / "general.log"
        self.prepare("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                     "--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=0",
                     "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M")
        self.begin("/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self.socket}",
                   f"--port={self.port}", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0",
                   "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--general-log=1",
                   f"--general-log-file={self.log}", f"--pid-file={self.directory}/pid", "--local-infile=1",
                   "--skip-name-resolve", *options)
        machine_module.wait_for(lambda: self.admin("SELECT 1").endswith("1"), "MariaDB answers")
        self.admin(f"CREATE DATABASE {DATABASE}; CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; "
                   f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1'")

    def admin(self, sql, database="mysql"):
        done = self.machine.run(
            ["mariadb", "--no-defaults", "-N", "-B", "-S", self.socket, "-u", "root", database, "-e", sql])
        return done.stdout.strip()

    def reset(self):
        self.admin(";".join(SCHEMA), DATABASE)
        self.seen = self.log.stat().st_size

    def asked(self):
        """(command, text) since reset() as the server logged them: Query, Execute, Prepare, ..."""
        text = self.log.read_bytes()[self.seen:].decode(errors="replace")
        line = re.compile(r"^(?:\d{6} [ \d]\d:\d\d:\d\d|\t)\t? *(\d+) ([A-Z][A-Za-z ]*?)(?:\t(.*))?$")
        found = []
        for row in text.split("\n"):
            entry = line.match(row)
            if entry:
                found.append([entry.group(2), entry.group(3) or ""])
            elif found and row:
                found[-1][1] += "\n" + row
        return [tuple(one) for one in found]


class Redis(Server):
    def __init__(self, machine):
        super().__init__(machine, "redis", "redis")
        self.begin("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir",
                   self.directory, "--requirepass", PASSWORD, "--unixsocket", self.directory / "s",
                   "--unixsocketperm", "777")

    def admin(self, *words):
        done = self.machine.run(["redis-cli", "--no-auth-warning", "-p", str(self.port), "-a", PASSWORD, *words])
        return done.stdout.strip()

    def reset(self):
        self.admin("FLUSHALL")
        self.admin("CONFIG", "RESETSTAT")

    def asked(self):
        """How often each command ran since reset(), container commands as `config|get`; not this one."""
        stats = self.admin("INFO", "commandstats")
        counts = {}
        for name, calls, rejected in re.findall(
                r"cmdstat_(\S+):calls=(\d+),.*?rejected_calls=(\d+)", stats):
            counts[name] = int(calls) + int(rejected)
        counts["config|resetstat"] = 0
        counts["auth"] = counts.get("auth", 0) - 1
        return {name: count for name, count in counts.items() if count > 0}


class Memcached(Server):
    def __init__(self, machine):
        super().__init__(machine, "memcached", "memcache")
        self.begin("memcached", "-p", str(self.port), "-U", "0", "-l", "127.0.0.1", "-m", "32")

    def reset(self):
        before = self.stats()
        self.before = before

    def stats(self):
        script = (f"import socket; s = socket.create_connection(('127.0.0.1', {self.port})); "
                  "s.sendall(b'stats\\r\\nquit\\r\\n'); print(s.makefile().read())")
        done = subprocess.run(["/usr/bin/python3", "-c", script], capture_output=True, text=True, check=True)
        return {name: int(value) for name, value in re.findall(r"STAT (\w+) (\d+)$", done.stdout, re.M)}

    def asked(self):
        """By how much each of the server's counters has grown since reset()."""
        now = self.stats()
        return {name: now[name] - self.before.get(name, 0) for name in now if name.startswith("cmd_")}


KINDS = {"postgres": Postgres, "mariadb": Maria, "redis": Redis, "memcached": Memcached}


class Databases:
    """The servers that were asked for; one directory and group of processes for all."""

    def __init__(self):
        self.machine = machine_module.Machine("databases")
        self.running = {}

    def get(self, kind):
        """The server, started if it is not, as every test is to find it."""
        if kind not in self.running:
            self.running[kind] = KINDS[kind](self.machine)
        self.running[kind].reset()
        return self.running[kind]

    def close(self):
        self.machine.close()
