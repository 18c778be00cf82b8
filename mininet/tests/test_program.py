"""Tests of what can be tested without building a network."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import unittest
from typing import Optional

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "program"))

import build  # noqa: E402
from mininet.cli import CLI  # noqa: E402
import plan  # noqa: E402
from plan import Cable, End  # noqa: E402
from processes import Processes  # noqa: E402
from prompt import Prompt, split_commands  # noqa: E402

PLAN = {
    "places": [
        {
            "name": "h1",
            "kind": "host",
            "interfaces": [
                {"name": "eth0", "mac": "02:54:0a:00:01:01", "addr": "10.0.1.1/24", "mtu": 1500}
            ],
            "setup": [["ip", "link", "set", "lo", "up"]],
            "commands": ["route add default gw 10.0.1.10 dev eth0"],
        },
        {
            "name": "s1",
            "kind": "switch",
            "interfaces": [{"name": "s1-eth3", "mtu": 1500}],
            "setup": [],
        },
        {"name": "ctl", "kind": "controller", "interfaces": None, "setup": []},
    ],
    "cables": [
        {
            "a": {"place": "h1", "interface": "eth0"},
            "b": {"place": "s1", "interface": "s1-eth3"},
        }
    ],
    "processes": [{"name": "s1", "place": "s1", "args": ["sleep", "60"], "log": "/dev/null"}],
    "unknown": {"things": "are left alone"},
}


class FakeNode:
    """What the numbering of interfaces and the start of a process see of a node of Mininet."""

    def __init__(self, last: int = -1) -> None:
        self.pid = 0
        self._last = last

    def newPort(self) -> int:
        return self._last + 1

    def popen(
        self, args: list[str], mncmd: list[str], **options: object
    ) -> subprocess.Popen[bytes]:
        assert mncmd[0] == "mnexec"
        return subprocess.Popen(args, **options)


class PlanTest(unittest.TestCase):
    def test_what_is_built_is_read(self) -> None:
        got = plan.decode(json.dumps(PLAN))
        host, switch, controller = got.places
        eth0 = plan.Interface("eth0", "10.0.1.1/24", "02:54:0a:00:01:01")
        self.assertEqual(host.interfaces, [eth0])
        self.assertEqual(host.commands, ["route add default gw 10.0.1.10 dev eth0"])
        self.assertEqual(switch.interfaces, [plan.Interface("s1-eth3", "", "")])
        self.assertEqual((controller.kind, controller.interfaces), ("controller", []))
        self.assertEqual(got.cables, [Cable(End("h1", "eth0"), End("s1", "s1-eth3"), False)])
        self.assertEqual(got.processes[0].args, ["sleep", "60"])

    def test_a_missing_part_is_an_error(self) -> None:
        for part in ("places", "cables", "processes"):
            with self.subTest(part), self.assertRaises(KeyError):
                plan.decode(json.dumps({k: v for k, v in PLAN.items() if k != part}))


class NumberTest(unittest.TestCase):
    def port(self, place: str, interface: str, management: bool, last: int) -> Optional[int]:
        end = End(place, interface)
        return build.port_of(FakeNode(last), Cable(end, end, management), end)

    def test_data_ports_of_a_switch_keep_their_number(self) -> None:
        self.assertEqual(self.port("s1", "s1-eth12", False, 3), 12)

    def test_data_comes_first_in_a_host(self) -> None:
        self.assertIsNone(self.port("h1", "eth0", False, -1))

    def test_management_comes_last(self) -> None:
        self.assertEqual(self.port("s1", "ctl0", True, 12), 1000)
        self.assertEqual(self.port("ctl", "c-s2", True, 1000), 1001)


class PromptTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        Prompt.adopt(["kv", "fail", "mend", "status", "nodes", "iperf"])

    def test_commands_are_split_outside_quotes(self) -> None:
        for text, want in {
            "nodes; h1 ping -c1 h2": ["nodes", "h1 ping -c1 h2"],
            " ; ;": [],
            "h1 sh -c 'a; b' ; links": ["h1 sh -c 'a; b'", "links"],
            """kv put h1 "it's; so" x""": ["""kv put h1 "it's; so" x"""],
        }.items():
            with self.subTest(text):
                self.assertEqual(split_commands(text), want)

    def prompt(self, *tool: str) -> Prompt:
        prompt = Prompt.__new__(Prompt)  # without a network, and without running it
        prompt._tool, prompt.failed = list(tool), False
        return prompt

    def handed(self, line: str) -> Optional[list[str]]:
        """Return the words that a line of the prompt hands to turbokv net, None if none are."""
        handed: list[list[str]] = []
        prompt = self.prompt()
        prompt.call = handed.append  # type: ignore[method-assign]
        prompt.onecmd(line)
        return handed[0] if handed else None

    def test_commands_of_the_store_are_handed_on(self) -> None:
        for line, want in {
            "kv put h1 'a key' value": ["kv", "put", "h1", "a key", "value"],
            "fail link s1 s2": ["fail", "link", "s1", "s2"],
            "mend h3": ["mend", "h3"],
            "status": ["status"],
            "help kv": ["kv", "--help"],
            "link s1 s2 down": ["fail", "link", "s1", "s2"],
            "link s1 h2 up": ["mend", "link", "s1", "h2"],
            "switch s1 stop": ["fail", "s1"],
            "switch s1 start": ["mend", "s1"],
            "link s1 s2 sideways": None,
            "switch s1": None,
            "kv put h1 'open": None,
        }.items():
            with self.subTest(line):
                self.assertEqual(self.handed(line), want)

    def test_a_command_that_fails_is_noted(self) -> None:
        for tool, failed in (("true", False), ("false", True)):
            prompt = self.prompt(tool)
            prompt.onecmd("status")
            self.assertEqual(prompt.failed, failed)

    def test_names_are_completed(self) -> None:
        prompt = self.prompt()
        prompt.mn = ["h1", "h2", "s1"]
        self.assertEqual(prompt.completenames("h"), ["help", "h1", "h2"])
        self.assertEqual(prompt.completedefault("s"), ["s1"])

    def test_mininet_keeps_its_commands(self) -> None:
        for name in ("nodes", "iperf"):
            self.assertIs(getattr(Prompt, f"do_{name}"), getattr(CLI, f"do_{name}"))


class ProcessesTest(unittest.TestCase):
    def test_all_stop(self) -> None:
        processes = Processes()
        stubborn = ["sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"]
        for name, args in {"meek": ["sleep", "60"], "stubborn": stubborn}.items():
            processes.start(plan.Process(name, "h1", args, ["A=b"], "/dev/null"), FakeNode())
        processes.stop(patience=0.2)
        for pid in processes.ids().values():
            with self.subTest(pid), self.assertRaises(ProcessLookupError):
                os.kill(pid, 0)


if __name__ == "__main__":
    unittest.main()
