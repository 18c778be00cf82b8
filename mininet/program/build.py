"""From a plan to a network of Mininet."""

from __future__ import annotations

from typing import Optional

from mininet.net import Mininet
from mininet.node import Node

from machines import PlanController, PlanHost, PlanLink, PlanSwitch
from network import PlanNet
from plan import Cable, End, Place, Plan


def build(plan: Plan) -> Mininet:
    """Make the places of a plan, join them, and prepare each."""
    net = PlanNet(controller=None, build=False)
    for place in plan.places:
        _add(net, place)
    for cable in plan.cables:
        _join(net, cable)
    for place in plan.places:
        net[place.name].prepare(place)
    for place in plan.places:
        net[place.name].obey(place)
    return net


def _add(net: Mininet, place: Place) -> None:
    if place.kind == "host":
        net.addHost(place.name, cls=PlanHost, ip=None)
    elif place.kind == "switch":
        net.addSwitch(place.name, cls=PlanSwitch, inNamespace=True)
    else:
        net.addController(place.name, controller=PlanController)


def _join(net: Mininet, cable: Cable) -> None:
    a, b = net[cable.a.place], net[cable.b.place]
    names = {"intfName1": cable.a.interface, "intfName2": cable.b.interface}
    ports = {"port1": port_of(a, cable, cable.a), "port2": port_of(b, cable, cable.b)}
    if cable.management:  # what people see by `links` is the data network
        PlanLink(a, b, **names, **ports)
    else:
        net.addLink(a, b, cls=PlanLink, **names, **ports)


# Mininet numbers the interfaces of a node, and takes the lowest for the one that gives the node its
# address. These numbers are far above the ports of any switch.
_MANAGEMENT = 1000


def port_of(node: Node, cable: Cable, end: End) -> Optional[int]:
    """Choose the number of an interface.

    Data ports of a switch have that of the switch program; interfaces of management come last.
    """
    if cable.management:
        following: int = node.newPort()
        return max(_MANAGEMENT, following)
    name, _, number = end.interface.rpartition("-eth")
    if name == end.place:
        return int(number)
    return None
