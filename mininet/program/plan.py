"""The plan of a network: the part of `turbokv`'s JSON that is built here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Interface:
    """One end of a cable."""

    name: str
    address: str  # with prefix length; empty: none
    mac: str  # empty: any


@dataclass(frozen=True)
class Place:
    """A network namespace, and the commands that prepare it."""

    name: str
    kind: str  # host, switch or controller
    interfaces: list[Interface]
    setup: list[list[str]]  # words of commands, each of which must succeed
    commands: list[str]  # those of the topology file, for a shell; they may fail


@dataclass(frozen=True)
class End:
    """An interface of a place."""

    place: str
    interface: str


@dataclass(frozen=True)
class Cable:
    """What joins two interfaces."""

    a: End
    b: End
    management: bool


@dataclass(frozen=True)
class Process:
    """A program that runs in a place."""

    name: str
    place: str
    args: list[str]
    env: list[str]  # NAME=VALUE
    log: str


@dataclass(frozen=True)
class Plan:
    """A network to build, and what runs in it."""

    places: list[Place]
    cables: list[Cable]
    processes: list[Process]


def decode(text: str) -> Plan:
    """Read a plan; a part that is missing is a KeyError."""
    value = json.loads(text)
    return Plan(
        places=[_place(p) for p in value["places"]],
        cables=[
            Cable(End(**c["a"]), End(**c["b"]), c.get("management", False)) for c in value["cables"]
        ],
        processes=[
            Process(p["name"], p["place"], p["args"], p.get("env") or [], p["log"])
            for p in value["processes"]
        ],
    )


def _place(value: dict[str, Any]) -> Place:
    interfaces = [
        Interface(i["name"], i.get("addr", ""), i.get("mac", "")) for i in value["interfaces"] or []
    ]
    commands = value.get("commands") or []
    return Place(value["name"], value["kind"], interfaces, value["setup"], commands)
