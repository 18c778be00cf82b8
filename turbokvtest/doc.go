// Package turbokvtest runs a whole TurboKV cluster in one goroutine under virtual time: the real
// client sessions, the real P4 program in the built-in switch, the real chain replication servers
// and the real directory, joined by a network that loses, repeats and reorders frames, with nodes
// that crash, lose what they had not synced, and come back. One seed draws everything, so a
// failing run is repeated by its seed.
//
// A Cluster records what its clients asked and were told; Check judges the record: per key it must
// be linearizable (by porcupine), every increment must have happened exactly once, and all
// replicas must hold the same records when the faults are over.
package turbokvtest
