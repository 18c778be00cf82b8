// Package turbokvtest runs a whole TurboKV cluster in one goroutine under virtual time: the real
// client sessions, the real P4 program in the built-in switches, the real storage servers and the
// real controller core, each with what its driver adds: disks that forget what was not synced,
// sessions that break, switches that are written in batches. A seed draws the topology, the work of
// the clients, and what goes wrong (Mishap, Faults), so a failing run is repeated by its seed.
//
// A run has two phases. While clients work, things go wrong; that is where promises may be broken
// (safety). Then everything is mended, and the cluster must come to rest by itself (liveness).
//
// What is judged: per key the history must be linearizable (by porcupine), every increment must have
// happened exactly once, versions must grow; the directory must keep its invariants at every commit
// and must give up no copy that is whole for copies that are destroyed; at rest every sub-range has
// all its replicas, all of them hold the same records, and nobody holds anything else. Only a
// sub-range of which the mishaps have destroyed every copy may be lost, and then its keys are not
// asked for any more.
//
// Play runs one seed, Sweep many; `turbokv sim chaos` is the command.
package turbokvtest
