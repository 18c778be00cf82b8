"""Tests of bmv2/p4rt/testdata/basic.p4 for PTF, the P4 project's packet test framework.

TestPTF runs them, with PTF's ports 1 and 2 at those of the switch, and the parameters address, p4info
and config. p4runtime-shell fills the tables.
"""
import p4runtime_sh.shell as sh
import ptf
import ptf.testutils as tu
from ptf.base_tests import BaseTest

KNOWN = "00:00:00:00:00:02"
PATIENCE = 20


class Forwarding(BaseTest):
    """Starts each test with empty tables."""

    def setUp(self):
        super().setUp()
        self.dataplane = ptf.dataplane_instance
        self.dataplane.flush()
        program = sh.FwdPipeConfig(tu.test_param_get("p4info"), tu.test_param_get("config"))
        sh.setup(device_id=1, grpc_addr=tu.test_param_get("address"), election_id=(0, 1),
                 config=program, verbose=False)
        self.addCleanup(sh.teardown)

    def insert(self, action, **parameters):
        entry = sh.TableEntry("ingress.forward_table")(action=action)
        entry.match["hdr.ethernet.dst"] = KNOWN
        for name, value in parameters.items():
            entry.action[name] = value
        entry.insert()
        return entry


class Unknown(Forwarding):
    """Without an entry nothing leaves."""

    def runTest(self):
        tu.send_packet(self, 1, tu.simple_tcp_packet(eth_dst=KNOWN))
        tu.verify_no_other_packets(self)


class Forward(Forwarding):
    """A frame leaves by the port of its entry and by no other, until the entry is gone."""

    def runTest(self):
        packet = tu.simple_tcp_packet(eth_dst=KNOWN)
        entry = self.insert("ingress.forward", port="2")
        tu.send_packet(self, 1, packet)
        tu.verify_packets(self, packet, [2])
        tu.send_packet(self, 1, tu.simple_tcp_packet(eth_dst="00:00:00:00:00:03"))
        tu.verify_no_other_packets(self)
        entry.action["port"] = "1"
        entry.modify()
        tu.send_packet(self, 1, packet)
        tu.verify_packets(self, packet, [1])
        entry.delete()
        tu.send_packet(self, 1, packet)
        tu.verify_no_other_packets(self)


class Multicast(Forwarding):
    """A frame leaves by all ports of a group."""

    def runTest(self):
        sh.MulticastGroupEntry(7).add(1, 1).add(2, 2).insert()
        self.insert("ingress.flood", group="7")
        packet = tu.simple_udp_packet(eth_dst=KNOWN)
        tu.send_packet(self, 2, packet)
        tu.verify_packets(self, packet, [1, 2])


class Controller(Forwarding):
    """Frames go to the controller and come from it."""

    def runTest(self):
        packets = sh.PacketIn()
        self.insert("ingress.to_controller", reason="5")
        packet = tu.simple_icmp_packet(eth_dst=KNOWN)
        tu.send_packet(self, 2, packet)
        got = packets.packet_in_queue.get(timeout=PATIENCE).packet
        self.assertEqual(got.payload, bytes(packet))
        self.assertEqual([m.value for m in got.metadata], [b"\x02", b"\x05"])
        sh.PacketOut(payload=bytes(packet), egress_port="1", pad="0").send()
        tu.verify_packets(self, packet, [1])
