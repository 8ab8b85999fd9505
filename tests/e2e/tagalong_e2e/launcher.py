# launcher.py - commands under `tagalong run`, and processes looked at from outside.
import shutil
import subprocess
from pathlib import Path

import pytest

from .machine import TAGALONG

PYTHON = "/usr/bin/python3"
NOBODY = 65534

# Waits for the milliseconds of its argument, and uses no socket.
SLEEPER = """
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) { usleep(argc > 1 ? atoi(argv[1]) * 1000 : 0); return 0; }
"""


def run(machine, *command, options=(), env=None, **more):
    env = {"TAGALONG_STORE": machine.directory / "traces.db", **(env or {})}
    return machine.run([TAGALONG, "run", *options, "--", *command], env=env, **more)


def shell(machine, script, **more):
    return run(machine, "sh", "-c", script, **more)


def compile_c(machine, name, source, *flags, compiler="gcc"):
    """A program of one C file; skips where the compiler can't make this kind."""
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    code = machine.directory / f"{name}.c"
    code.write_text(source)
    built = machine.run([compiler, "-O1", *flags, "-o", name, code])
    if built.returncode != 0:
        pytest.skip(f"{compiler} {' '.join(flags)} does not work here: {built.stderr.strip()[-200:]}")
    return machine.directory / name


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def exporter_of(pid):
    for child in children(pid):
        if command_line(child)[1:2] == ["export"]:
            return child
    return None


def in_namespaces(*flags):
    """The words before a command that give it new namespaces; skips where that is not allowed."""
    words = ["unshare", *flags]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"unshare {' '.join(flags)} is not allowed here: {tried.stderr.strip()}")
    return words
