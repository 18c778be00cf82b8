// Host learning. A packet whose source address has not been seen on its port makes the target send
// a digest (address, MAC, port). The controller installs a route and the entry here that silences
// the digest; until then every packet of the host repeats it, so a lost digest does no harm.
//
//   known source          -> nothing: its port has a host, and nobody need ask what hangs there
//   new source, new port  -> digest
//   another switch's port -> nothing: the hosts behind it are learned where they sit
//   the controller itself -> nothing: it knows where it sits
//   rest of a scan        -> nothing: its first piece has been here
//
// So the controller never installs an entry here for a port that it gives to another switch.

#ifndef TKV_LEARN_P4
#define TKV_LEARN_P4

control learn(in headers_t hdr, inout metadata_t meta) {
    @id(ID_ACTION_KNOWN)
    action known() { }

    @id(ID_ACTION_UNKNOWN)
    action unknown() { }

    @id(ID_LEARN_TABLE)
    table learn_table {
        key = {
            meta.host.src_addr : exact @name("src_addr") @format(IPV4_ADDRESS);
            meta.ingress_port  : exact @name("ingress_port");
        }
        actions = { known; @defaultonly unknown; }
        const default_action = unknown;
        size = LEARNED_HOSTS;
    }

    apply {
        if (!learn_table.apply().hit) {
            neighbour.apply(meta);
            // 0.0.0.0 and 224.0.0.0/3 (multicast and reserved) are never a host's address.
            if (meta.neighbour == neighbour_t.HOST && meta.recirculated == 0 &&
                meta.ingress_port != CPU_PORT &&
                meta.host.src_addr != 0 && meta.host.src_addr[31:29] != 7) {
                meta.learn = 1;
                meta.host.src_mac = hdr.ethernet.src_addr;
                meta.host.port = meta.ingress_port;
            }
        }
    }
}

#endif
