"""Drives a switch with p4runtime-shell, for the test TestP4RuntimeShell.

usage: shell.py ADDRESS P4INFO PROGRAM.json

Writes every kind of entity, says "frames" when the switch may get some, and checks what the switch
tells of them. Any failure is an exception.
"""
import sys
import time

import p4runtime_sh.shell as sh

PATIENCE = 20


def expect(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def eventually(what, probe, want):
    deadline = time.time() + PATIENCE
    while probe() != want:
        if time.time() > deadline:
            raise AssertionError(f"{what}: got {probe()!r}, want {want!r}")
        time.sleep(0.05)


def count(builder):
    return len(list(builder.read()))


def tables():
    e = sh.TableEntry("ingress.counted_table")(action="ingress.count_hit")
    e.match["flow"] = "0x0007"
    e.action["port"] = "3"
    e.insert()
    e.action["port"] = "2"
    e.modify()
    try:
        e.insert()
    except Exception as error:
        if "ALREADY_EXISTS" not in str(error):
            raise
    else:
        raise AssertionError("an entry was inserted twice")
    note = sh.TableEntry("ingress.counted_table")(action="ingress.note")
    note.match["flow"] = "9"
    note.insert()
    many = sh.TableEntry("ingress.counted_table")(action="ingress.many")
    many.match["flow"] = "10"
    many.action["group"] = "5"
    many.insert()
    expect("entries", count(sh.TableEntry("ingress.counted_table")), 3)
    default = sh.TableEntry("ingress.keyless_table")(action="ingress.send", is_default=True)
    default.action["port"] = "2"
    default.modify()


def profiles():
    for i in (1, 2):
        m = sh.ActionProfileMember("ingress.paths")(member_id=i, action="ingress.send")
        m.action["port"] = str(i + 1)
        m.insert()
    g = sh.ActionProfileGroup("ingress.paths")(group_id=1)
    g.add(1, 1).add(2, 1)
    g.insert()
    e = sh.TableEntry("ingress.path_table")
    e.match["flow"] = "0x0100/8"
    e.group_id = 1
    e.insert()
    expect("members", count(sh.ActionProfileMember("ingress.paths")), 2)
    expect("groups", count(sh.ActionProfileGroup("ingress.paths")), 1)
    e.delete()  # a profile has either groups or one-shots
    g.delete()
    for m in sh.ActionProfileMember("ingress.paths").read():
        m.delete()
    one = sh.TableEntry("ingress.path_table")
    one.match["flow"] = "0x0200/8"
    action = sh.Action("ingress.send")
    action["port"] = "3"
    one.oneshot.add(action)
    one.insert()
    expect("entries of profiles", count(sh.TableEntry("ingress.path_table")), 1)


def replication():
    sh.MulticastGroupEntry(5).add(2, 1).add(3, 2).insert()
    sh.CloneSessionEntry(7).add(3, 1).insert()
    expect("replicas", len(list(sh.MulticastGroupEntry(5).read())[0].replicas), 2)


def meters():
    m = sh.MeterEntry("ingress.two_rates")
    m.index = 1
    m.cir, m.cburst, m.pir, m.pburst = 10, 20, 30, 40
    m.modify()
    back = list(m.read())[0]
    expect("meter", (back.cir, back.cburst, back.pir, back.pburst), (10, 20, 30, 40))
    c = sh.CounterEntry("ingress.seen")
    c.index = 0
    c.packet_count = 12
    c.modify()
    expect("counter", list(c.read())[0].packet_count, 12)


def traffic():
    d = sh.DigestEntry("note_t")
    d.max_list_size = 1
    d.insert()
    packets, digests = sh.PacketIn(), sh.DigestList()
    print("frames", flush=True)
    direct = sh.DirectCounterEntry("ingress.flow_counter")
    direct.table_entry.match["flow"] = "0x0007"
    eventually("hits", lambda: list(direct.read())[0].packet_count, 1)
    got = packets.packet_in_queue.get(timeout=PATIENCE).packet
    expect("packet-in", [m.value for m in got.metadata], [b"\x01", b"\x21"])
    values = digests.digest_list_queue.get(timeout=PATIENCE).digest.data[0].struct.members
    expect("digest", [v.bitstring for v in values], [b"\x09", b"\x01"])
    out = sh.PacketOut(payload=b"\x63\x00\x00\x00from the shell", egress_port="2")
    out.send()


def main():
    address, info, program = sys.argv[1:]
    sh.setup(device_id=1, grpc_addr=address, election_id=(0, 1),
             config=sh.FwdPipeConfig(info, program), verbose=False)
    try:
        for step in (tables, profiles, replication, meters, traffic):
            step()
        print("done", flush=True)
        sys.stdin.read()  # the session ends when all frames have been looked at
    finally:
        sh.teardown()


main()
