// The ways in which a stage ends the ordinary course of a packet.

#ifndef TKV_DECIDE_P4
#define TKV_DECIDE_P4

@hidden
action drop_because(inout metadata_t meta, in drop_reason_t reason) {
    meta.path = path_t.DROP;
    meta.drop_reason = reason;
}

@hidden
action answer_with(inout metadata_t meta, in status_t status) {
    meta.path = path_t.ANSWER;
    meta.status = status;
}

@hidden
action spread_over(inout metadata_t meta, in group_t group) {
    meta.path = path_t.SPREAD;
    meta.group = group;
}

#endif
