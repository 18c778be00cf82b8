"""Processes in the namespaces of Mininet's nodes."""

from __future__ import annotations

import os
import subprocess
import threading
import time

from mininet.node import Node

from kernel import die_with_parent
from plan import Process


class Processes:
    """The programs of a plan, each in a node of Mininet."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, spec: Process, node: Node) -> None:
        """Run a program in a node.

        It has a session of its own, so that ctrl-C at the prompt does not reach it, and is killed
        when this program ends. A thread waits for it: whoever stops it later, perhaps from another
        terminal, must see it go.
        """
        place = {"TURBOKV_PLACE": spec.place}
        environment = {**os.environ, **place, **dict(e.split("=", 1) for e in spec.env)}
        with open(spec.log, "ab") as out:
            process = node.popen(
                spec.args, mncmd=["mnexec", "-a", str(node.pid)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
                start_new_session=True, preexec_fn=die_with_parent,
            )
        threading.Thread(target=process.wait, daemon=True).start()
        self._running[spec.name] = process

    def ids(self) -> dict[str, int]:
        """Return the process ids by name."""
        return {name: process.pid for name, process in self._running.items()}

    def stop(self, patience: float = 2.0) -> None:
        """Ask all to stop; those that take longer than that many seconds are killed."""
        for process in self._running.values():
            process.terminate()
        end = time.monotonic() + patience
        for process in self._running.values():
            try:
                process.wait(max(end - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
