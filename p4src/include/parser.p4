// Parser and deparser. A packet that ends early keeps the headers before the end: the parser
// stops, the header that did not fit stays invalid, and ingress decides.

#ifndef TKV_PARSER_P4
#define TKV_PARSER_P4

// Ethernet, ARP for IPv4, IPv4 without options, UDP, and our header behind its UDP port. Anything
// else ends the parsing and rides along as payload; so does TCP, whose ports are only looked at.
parser tkv_parser(packet_in packet,
                  out headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t std) {
    state start {
        meta.recirculated = 0;
        meta.packet_length = 0;
        meta.tcp_ports = 0;
        meta.host = { 0, 0, 0 };
        meta.neighbour = neighbour_t.HOST;
        meta.path = path_t.PLAIN;
        meta.status = status_t.OK;
        meta.drop_reason = drop_reason_t.NONE;
        meta.egress_port = 0;
        meta.group = 0;
        meta.flow_hash = 0;
        meta.slot = 0;
        meta.learn = 0;
        meta.last_index_key = 0;
        meta.next_index_key = 0;
        meta.is_last = 0;
        meta.split = 0;
        meta.rest_index_key = 0;
        meta.rest_budget = 0;
        transition select(std.instance_type) {
            INSTANCE_RECIRCULATED: recirculated;
            default: arrived;
        }
    }

    // The rest of a scan, which the egress of this switch has prepared: meta.ingress_port is that
    // of the packet as it came, and the packet-out header is gone.
    state recirculated {
        meta.recirculated = 1;
        transition parse_ethernet;
    }

    state arrived {
        meta.ingress_port = std.ingress_port;
        transition select(std.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }

    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition parse_ethernet;
    }

    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_ARP: look_at_arp;
            default: accept;
        }
    }

    state look_at_arp {
        transition select(packet.lookahead<bit<48>>()) {
            ARP_ETHERNET_IPV4: parse_arp;
            default: accept;
        }
    }

    state parse_arp {
        packet.extract(hdr.arp);
        meta.host.src_addr = hdr.arp.sender_ip;
        transition accept;
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        meta.host.src_addr = hdr.ipv4.src_addr;
        transition select(hdr.ipv4.version, hdr.ipv4.ihl,
                          hdr.ipv4.fragment_offset, hdr.ipv4.protocol) {
            (4, 5, 0, IP_PROTO_UDP): parse_udp;
            (4, 5, 0, IP_PROTO_TCP): look_at_tcp;
            default: accept;
        }
    }

    state look_at_tcp {
        meta.tcp_ports = packet.lookahead<bit<32>>();
        transition accept;
    }

    state parse_udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dst_port) {
            TKV_PORT: parse_tkv;
            default: accept;
        }
    }

    state parse_tkv {
        packet.extract(hdr.tkv_fixed);
        packet.extract(hdr.tkv_route);
        transition accept;
    }
}

control tkv_deparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.udp);
        packet.emit(hdr.tkv_fixed);
        packet.emit(hdr.tkv_route);
        packet.emit(hdr.arp);
    }
}

#endif
