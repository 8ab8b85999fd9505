# test_traces.py - `tagalong traces` shows what the store has.
import json
import os
import re
import sqlite3
import sys

import pytest

from tagalong_e2e.launcher import NOBODY
from tagalong_e2e.machine import TAGALONG

SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA user_version=2;
CREATE TABLE resources(id INTEGER PRIMARY KEY, attributes TEXT NOT NULL UNIQUE);
CREATE TABLE spans(trace_id BLOB NOT NULL, span_id BLOB NOT NULL, kind INTEGER NOT NULL, parent_id BLOB,
  service TEXT NOT NULL, name TEXT NOT NULL, start_unix_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
  status INTEGER NOT NULL, status_message TEXT, http_status INTEGER, error_type TEXT, request_id TEXT,
  target TEXT, resource_id INTEGER NOT NULL, attributes TEXT NOT NULL, events TEXT,
  PRIMARY KEY(trace_id, span_id, kind));
CREATE INDEX spans_by_start ON spans(start_unix_ns);
INSERT INTO resources VALUES(1, '{"service.name":"gateway"}');
"""


@pytest.fixture
def store(machine):
    """A store with two traces: a good one, and one that failed with a hostile path."""
    path = machine.directory / "made.db"
    database = sqlite3.connect(path)
    database.executescript(SCHEMA)
    good, bad = bytes.fromhex("aa" * 16), bytes.fromhex("bb" * 16)
    second = 10 ** 9
    rows = [
        (good, b"1" * 8, 2, None, "gateway", "GET", 5 * second, 40 * 10 ** 6, 0, None, 200, None, "good-1", "/a"),
        (good, b"2" * 8, 3, b"1" * 8, "gateway", "GET", 5 * second + 10 ** 6, 30 * 10 ** 6, 0, None, 200, None,
         "good-1", "http://stock/b"),
        (bad, b"3" * 8, 2, None, "gateway", "GET", 6 * second, 2 * second, 2, None, 500, "500", "bad-1",
         "/\033[2Jgone\u009b1m"),
    ]
    database.executemany(f"INSERT INTO spans VALUES({','.join('?' * 14)}, 1, '{{}}', NULL)", rows)
    database.commit()
    yield path
    database.close()


def traces(machine, store, *arguments, env=None):
    result = machine.run([TAGALONG, "traces", "--store", store, *arguments], env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_list_shows_the_newest_last_and_filters(machine, store):
    def ids(*arguments):
        return [line.split()[2] for line in traces(machine, store, *arguments).splitlines()[1:]]

    assert ids() == ["aaaaaaaa", "bbbbbbbb"]
    assert ids("--errors") == ["bbbbbbbb"]
    assert ids("--slower", "1s") == ["bbbbbbbb"]
    assert ids("--slower", "3s") == []
    assert ids("--limit", "1") == ["bbbbbbbb"]
    assert ids("--service", "stock") == []


@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_traffic_cannot_steer_the_terminal(machine, store, language):
    for arguments in ([], ["bbbb"], ["bad-1"], ["--ascii"]):
        text = traces(machine, store, *arguments, env={"LANG": language})
        assert "\\x1b[2Jgone\\xc2\\x9b1m" in text or "\\x1b[2J" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        if language == "C" or "--ascii" in arguments:
            assert text.isascii()


def test_one_trace_is_a_waterfall(machine, store):
    for name in ("aaaa", "AAAAAAAA", "aa" * 16, "good-1"):
        lines = traces(machine, store, name, env={"COLUMNS": "90"}).splitlines()
        assert lines[0].startswith(f"trace {'aa' * 16}  ")
        assert lines[1] == "request ID good-1"
        assert re.match(r"gateway  GET /a .* 0us +40\.0ms  █+  200$", lines[3])
        assert re.match(r"gateway  └─→ GET http://stock/b .* 1\.0ms +30\.0ms  [ ▏▐█▉▊▋▌▍▎]+  200$", lines[4])
        assert all(len(line) <= 90 for line in lines)


def test_json_is_one_object_a_line(machine, store):
    listed = [json.loads(line) for line in traces(machine, store, "--json").splitlines()]
    assert [(one["trace_id"], one["spans"], one["errors"]) for one in listed] == [
        ("aa" * 16, 2, 0), ("bb" * 16, 1, 1)]
    assert listed[1]["target"] == "/\033[2Jgone\u009b1m"
    spans = [json.loads(line) for line in traces(machine, store, "--json", "aaaa").splitlines()]
    assert spans[1]["parent_id"] == spans[0]["span_id"] == "31" * 8
    assert spans[0]["resource"] == {"service.name": "gateway"}


def test_missing_store_and_unknown_id_are_said(machine, store):
    missing = machine.run([TAGALONG, "traces", "--store", machine.directory / "none.db"])
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == f"tagalong traces: {machine.directory}/none.db: there is no store yet\n"
    unknown = machine.run([TAGALONG, "traces", "--store", store, "cccc"])
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no trace or request has this ID" in unknown.stderr
    assert not (machine.directory / "none.db").exists()


def test_store_of_another_user_in_a_closed_directory_is_read(machine, store):
    directory = machine.directory / "closed"
    directory.mkdir()
    source = sqlite3.connect(store)
    source.execute(f"VACUUM INTO '{directory}/copy.db'")
    source.close()
    copy = sqlite3.connect(directory / "copy.db")
    copy.execute("PRAGMA journal_mode=WAL")
    copy.close()
    directory.chmod(0o555)
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if os.getuid() != 0 or machine.run([*words, "test", "-x", TAGALONG]).returncode != 0:
        pytest.skip("needs root, and a build that other users can read")
    result = machine.run([*words, TAGALONG, "traces", "--store", directory / "copy.db"])
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 3


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
