"""Builds the network of a plan with Mininet, runs its processes, and opens Mininet's prompt.

`turbokv mininet up` runs it: see there for people's options.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from typing import Iterator, Optional, Sequence

from mininet.log import lg
from mininet.net import Mininet

import build
import output
from front import Front
from plan import Plan, decode
from processes import Processes
from prompt import Prompt, Script, split_commands


def run(words: Sequence[str]) -> int:
    """Run the program with command line words, and return its exit code."""
    try:
        return _run(_parse(words))
    except Exception as wrong:  # pylint: disable=broad-except; Mininet raises nothing finer
        print(f"turbokv: mininet: {wrong}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    with open(options.plan, encoding="utf-8") as file:
        plan = decode(file.read())
    output.separate(lg)
    Prompt.adopt(options.verb)
    asks = options.lines is None and not options.no_prompt
    front = Front(options.reports, options.orders)
    with _stoppable(asks), _running(plan) as (net, processes):
        front.report({n.name: f"/proc/{n.pid}/ns/net" for n in net.values()}, processes.ids())
        if front.await_ready():
            return _serve(net, options)
    return 1


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", help="file of the plan")
    parser.add_argument("--reports", type=int, required=True, help="descriptor to write to")
    parser.add_argument("--orders", type=int, required=True, help="descriptor to read from")
    parser.add_argument("--tool", action="append", default=[], help="word of turbokv net ...")
    parser.add_argument("--verb", action="append", default=[], help="a command of turbokv net")
    parser.add_argument("--exec", dest="lines", help="lines of the prompt to run, with ; between")
    parser.add_argument("--no-prompt", action="store_true", help="wait to be stopped")
    return parser.parse_args(words)


def _serve(net: Mininet, options: argparse.Namespace) -> int:
    """Do what the network is there for, until that is over."""
    if options.lines is not None:
        script = Script(net, options.tool, split_commands(options.lines))
        return int(script.failed)
    if options.no_prompt:
        while True:
            signal.pause()
    Prompt(net, options.tool)
    return 0


class _Stopped(BaseException):
    """Somebody asked the program to stop."""


@contextlib.contextmanager
def _stoppable(asks: bool) -> Iterator[None]:
    """End the body when a signal asks for it. A prompt has another use for SIGINT."""
    signals = [signal.SIGTERM, signal.SIGHUP] + ([] if asks else [signal.SIGINT])

    def stop(*_: object) -> None:
        for each in (*signals, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in signals:
        signal.signal(each, stop)
    with contextlib.suppress(_Stopped, KeyboardInterrupt):
        yield


@contextlib.contextmanager
def _running(plan: Plan) -> Iterator[tuple[Mininet, Processes]]:
    """Have the network and its processes as long as the body runs."""
    processes = Processes()
    net: Optional[Mininet] = None
    try:
        net = build.build(plan)
        for spec in plan.processes:
            processes.start(spec, net[spec.place])
        yield net, processes
    finally:
        processes.stop()
        if net is not None:
            net.stopXterms()
