# session.py - an exporter with a segment of its own, for programs that are started by LD_PRELOAD alone.
import os

from . import machine as machine_module


class Session:
    """`tagalong export --segment`, and the environment that makes a program join it."""

    def __init__(self, machine, endpoint, **env):
        self.machine = machine
        self.segment = machine.directory / "segment"
        self.variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": 100, **env}
        self.begin()

    def begin(self):
        """Starts the exporter, or starts it again on the segment that is there."""
        ready, writes = os.pipe()
        self.process = self.machine.start(
            [machine_module.TAGALONG, "export", "--segment", self.segment, "--ready-fd", str(writes)],
            self.variables, pass_fds=[writes])
        os.close(writes)
        byte = os.read(ready, 1)
        os.close(ready)
        assert byte, f"the exporter did not start\n{self.machine.log(self.process)}"

    @property
    def env(self):
        return {"LD_PRELOAD": machine_module.LIBRARY, "TAGALONG_SESSION": self.segment}

    def end(self):
        """Lets the exporter ship what is left, and end."""
        assert self.machine.stop(self.process) == 0, self.machine.log(self.process)
