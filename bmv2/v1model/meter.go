package v1model

// MeterConfig configures a meter. Rates are in bytes or packets per second, bursts in bytes or packets;
// none is negative.
//
// With EBurst 0 it is the two rate three color marker of RFC 2698: a packet is red (2) if it exceeds
// PIR and PBurst, else yellow (1) if it exceeds CIR and CBurst, else green (0). CIR must not exceed PIR.
// With CIR = PIR and CBurst = PBurst nothing is yellow.
//
// With EBurst it is the single rate three color marker of RFC 2697: PIR and PBurst must be equal to CIR
// and CBurst; what exceeds those but not EBurst is yellow.
type MeterConfig struct {
	CIR, CBurst, PIR, PBurst, EBurst int64
}

// MeterCell names and configures one cell of an indirect meter array. Only OpModify applies. A Config
// fills the buckets; nil removes the configuration, so that all packets are green.
type MeterCell struct {
	Meter  string
	Index  int
	Config *MeterConfig
}

// DirectMeter configures the meter of the table entry with the given match. Only OpModify applies.
type DirectMeter struct {
	Entry  *Entry // Table, Match and Priority identify it
	Config *MeterConfig
}
