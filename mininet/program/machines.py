"""Mininet's kinds of nodes, as a plan needs them. Each has a network namespace of its own."""

from __future__ import annotations

import functools
import os
import shlex
import signal
import subprocess
import sys
from typing import Any, Optional, Sequence

from mininet.link import Intf, Link
from mininet.node import Host, Node, Switch

from kernel import die_with_parent
from plan import Place


class PlanNode(Node):
    """What all places of a plan have in common."""

    def _popen(self, cmd: Sequence[str], **params: Any) -> subprocess.Popen[bytes]:
        """Start a process as Mininet does, the shell of the node first of all.

        It is hung up when this program ends, and a shell that is hung up takes along what it has
        started. Its environment says where it runs: `turbokv mininet down` finds it by that.
        """
        params.setdefault("preexec_fn", functools.partial(die_with_parent, signal.SIGHUP))
        params.setdefault("env", {**os.environ, "TURBOKV_PLACE": self.name})
        process: subprocess.Popen[bytes] = super()._popen(cmd, **params)
        return process

    def prepare(self, place: Place) -> None:
        """Give the place what the plan says, once all its cables are there."""
        for words in place.setup:
            _, said, code = self.pexec(words)
            if code != 0:
                raise RuntimeError(f"{self.name}: {shlex.join(words)}: {said.strip() or code}")
        for spec in place.interfaces:
            interface: Intf = self.nameToIntf[spec.name]
            interface.mac = spec.mac or interface.mac
            if spec.address:
                interface.ip, interface.prefixLen = spec.address.split("/")

    def obey(self, place: Place) -> None:
        """Run the commands of the topology file. They may fail: not all fit every network."""
        for command in place.commands:
            said = self.cmd(command).strip()
            if self.cmd("echo $?").strip() != "0":
                print(f"turbokv: {self.name}: {command}: {said} (goes on)", file=sys.stderr)


class PlanHost(PlanNode, Host):
    """A client or a storage node."""


class PlanSwitch(PlanNode, Switch):
    """A P4 switch. Its process is started with the others."""

    controlIntf: Optional[Intf] = None  # Mininet sets it in the root namespace only

    def start(self, _controllers: object) -> None:
        """Do nothing: the prompt hands what concerns processes to `turbokv net`."""

    def defaultDpid(self, dpid: Optional[str] = None) -> str:
        """Return any id: nobody looks at it, and a switch may be called anything."""
        return dpid or "0" * self.dpidLen


class PlanController(PlanNode):
    """The place of the controller, on the management network only.

    To Mininet it is no host, because hosts are what pingall pings.
    """


class PlanLink(Link):
    """A cable. Interfaces of different places may have one name, so it tells the place as well."""

    def __str__(self) -> str:
        ends = (f"{end.node}:{end}" for end in (self.intf1, self.intf2))
        return "<->".join(ends)
