"""Mininet itself, where it does not work as people know it."""

from __future__ import annotations

import subprocess
import time
from typing import Optional, Sequence

from mininet.log import output
from mininet.net import Mininet
from mininet.node import Node


class PlanNet(Mininet):
    """A network whose iperf comes to an end.

    Mininet 2.3.0 counts lines of the server that iperf 2.1 does not print any more, and waits for
    them for ever. It also ends every iperf of the machine.
    """

    def iperf(
        self, hosts: Optional[Sequence[Node]] = None, l4Type: str = "TCP", udpBw: str = "10M",
        fmt: Optional[str] = None, seconds: int = 5, port: int = 5001,
    ) -> list[str]:
        """Measure between two hosts, by default the first and the last.

        Returns the bandwidth as the server and as the client see it, for UDP with what was asked
        for in front, as Mininet does.
        """
        client, server = hosts or (self.hosts[0], self.hosts[-1])
        output(f"*** Iperf: testing {l4Type} bandwidth between {client} and {server}\n")
        common = ["iperf", "-p", str(port)]
        common += ["-f", fmt] if fmt else []
        common += ["-u"] if l4Type == "UDP" else []
        rate = ["-b", udpBw] if l4Type == "UDP" else []
        daemon = server.popen(
            [*common, "-s"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        try:
            await_port(server, l4Type.lower(), port)
            said, _, _ = client.pexec([*common, "-t", str(seconds), "-c", server.IP(), *rate])
        finally:
            daemon.terminate()
            heard, _ = daemon.communicate()
        result = [self._parseIperf(heard), self._parseIperf(said)]
        result = [udpBw, *result] if l4Type == "UDP" else result
        output(f"*** Results: {result}\n")
        return result


def await_port(node: Node, protocol: str, port: int, patience: float = 5.0) -> None:
    """Wait until a program in a node has opened a port, or for that many seconds."""
    end = time.monotonic() + patience
    while not has_port(node, protocol, port) and time.monotonic() < end:
        time.sleep(0.01)


def has_port(node: Node, protocol: str, port: int) -> bool:
    """Tell whether a socket of a node waits at a port of tcp or udp."""
    waiting = {"tcp": "0A", "udp": "07"}[protocol]  # net/tcp_states.h
    for family in (protocol, protocol + "6"):
        with open(f"/proc/{node.pid}/net/{family}", encoding="ascii") as table:
            for row in table.readlines()[1:]:
                _, local, _, state = row.split()[:4]
                if state == waiting and int(local.rpartition(":")[2], 16) == port:
                    return True
    return False
