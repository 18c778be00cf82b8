"""Mininet's prompt, with the commands of the store.

What is new here is only handed to `turbokv net`, which works the same from any other terminal.
"""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
from typing import Iterable, Sequence

from mininet.cli import CLI
from mininet.log import error
from mininet.net import Mininet


def split_commands(text: str) -> list[str]:
    """Split at each ';' that is outside quotes: "a; b 'c; d'" has two commands."""
    commands, quote = [""], ""
    for character in text:
        if character == ";" and not quote:
            commands.append("")
            continue
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        commands[-1] += character
    return [c.strip() for c in commands if c.strip()]


class Prompt(CLI):
    """Mininet's prompt, and the commands of `turbokv net` that have no name of Mininet's."""

    doc_header = "Commands (help COMMAND tells more):"

    def __init__(self, net: Mininet, tool: Sequence[str], **options: object) -> None:
        """tool is the command line of `turbokv net`, to which command and words are added."""
        self._tool = list(tool)
        self.failed = False  # whether a command failed
        super().__init__(net, **options)

    @classmethod
    def adopt(cls, verbs: Iterable[str]) -> None:
        """Have commands of `turbokv net`. What Mininet has by that name stays as people know it."""
        for verb in verbs:
            if hasattr(cls, f"do_{verb}"):
                continue
            setattr(cls, f"do_{verb}", functools.partialmethod(cls.hand, verb))
            setattr(cls, f"help_{verb}", functools.partialmethod(cls.hand, verb, "--help"))

    def hand(self, command: str, line: str) -> None:
        """Give one command to turbokv net."""
        try:
            words = shlex.split(line)
        except ValueError as wrong:
            error(f"*** {command} {line}: {wrong}\n")
            self.failed = True
            return
        self.call([command, *words])

    def call(self, words: Sequence[str]) -> None:
        """Run turbokv net."""
        if subprocess.call([*self._tool, *words]) != 0:
            self.failed = True

    def completenames(self, text: str, *ignored: object) -> list[str]:
        """Complete the first word of a line: a command, a host or a switch."""
        commands: list[str] = super().completenames(text, *ignored)
        return commands + self.completedefault(text)

    def completedefault(self, text: str, *_ignored: object) -> list[str]:
        """Complete any other word, if it is to be a host or a switch."""
        return [name for name in self.mn if name.startswith(text)]

    def do_link(self, line: str) -> None:
        """Take the links between two neighbours down or up.
        Usage: link node1 node2 up|down"""
        words = line.split()
        if len(words) != 3 or words[2] not in ("up", "down"):
            error("usage: link node1 node2 up|down\n")
            self.failed = True
            return
        self.hand("mend" if words[2] == "up" else "fail", f"link {words[0]} {words[1]}")

    def do_switch(self, line: str) -> None:
        """Stop or start a switch.
        Usage: switch s1 stop|start"""
        words = line.split()
        if len(words) != 2 or words[1] not in ("stop", "start"):
            error("usage: switch s1 stop|start\n")
            self.failed = True
            return
        self.hand("mend" if words[1] == "start" else "fail", words[0])

    def do_pingall(self, line: str) -> None:
        """Ping between all hosts.
        Usage: pingall [seconds to wait for an answer]"""
        if self.mn.pingAll(line or "1"):
            self.failed = True


class Script(Prompt):
    """A prompt that runs given lines instead of asking for them."""

    def __init__(self, net: Mininet, tool: Sequence[str], lines: Sequence[str]) -> None:
        self._lines = lines
        # Mininet offers what it can read to the command that runs; at the end of a file it would
        # do so without end, so here is something that never has anything to read.
        silent, keep = os.pipe()
        with os.fdopen(silent) as stdin, os.fdopen(keep):
            super().__init__(net, tool, stdin=stdin)

    @classmethod
    def initReadline(cls) -> None:
        """Leave the history of the prompt alone."""

    def run(self) -> None:
        """Run the lines, until one asks to leave."""
        for line in self._lines:
            if self.onecmd(self.precmd(line)):
                return

    def default(self, line: str) -> None:
        """Run a command in a node, and note how it ends."""
        super().default(line)
        name = line.split()[0]
        if name not in self.mn or self.mn[name].cmd("echo $?").strip() != "0":
            self.failed = True
