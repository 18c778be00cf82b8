// Neighbours: what hangs on the port by which a packet came. Two rules need it. Behind a port with
// another switch live the hosts of others, so nothing is learned there. And a request that came
// from above never goes up again (see resolve.p4), so no request can go in circles.
//
// A port without an entry has a host. So a switch alone needs no entries.

#ifndef TKV_NEIGHBOUR_P4
#define TKV_NEIGHBOUR_P4

control neighbour(inout metadata_t meta) {
    @id(ID_ACTION_FROM_HOST)
    action from_host() { }

    @id(ID_ACTION_FROM_BELOW)
    action from_below() {
        meta.neighbour = neighbour_t.BELOW;
    }

    @id(ID_ACTION_FROM_ABOVE)
    action from_above() {
        meta.neighbour = neighbour_t.ABOVE;
    }

    @id(ID_PORT_TABLE)
    table port_table {
        key = {
            meta.ingress_port : exact @name("ingress_port");
        }
        actions = { from_host; from_below; from_above; }
        const default_action = from_host;
        size = PORTS;
    }

    apply {
        port_table.apply();
    }
}

#endif
