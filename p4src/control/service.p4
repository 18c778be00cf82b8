// The service address. A packet of our protocol that is still addressed to it is unresolved and
// takes the path of requests; anything else, replies and messages between nodes included, is plain
// IPv4 and pays for nothing more.

#ifndef TKV_SERVICE_P4
#define TKV_SERVICE_P4

control service(in headers_t hdr, inout metadata_t meta) {
    @id(ID_ACTION_TO_SERVICE)
    action to_service() {
        meta.path = path_t.REQUEST;
    }

    @id(ID_ACTION_NOT_SERVICE)
    action not_service() { }

    @id(ID_SERVICE_TABLE)
    table service_table {
        key = {
            hdr.ipv4.dst_addr : exact @name("dst_addr") @format(IPV4_ADDRESS);
        }
        actions = { to_service; @defaultonly not_service; }
        const default_action = not_service;
        size = SERVICES;
    }

    apply {
        if (hdr.udp.isValid() && hdr.udp.dst_port == TKV_PORT) {
            service_table.apply();
        }
    }
}

#endif
