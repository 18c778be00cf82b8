// Values of standard_metadata.instance_type (bmv2, simple_switch.h).

#ifndef TKV_INSTANCES_P4
#define TKV_INSTANCES_P4

const bit<32> INSTANCE_INGRESS_CLONE = 1;
const bit<32> INSTANCE_RECIRCULATED  = 4;

#endif
