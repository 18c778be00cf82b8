// Package workload makes the requests of benchmarks and keeps the books on them. It is pure: no
// goroutine, socket, clock or global random source; the same seed gives the same requests.
//
//   - A Distribution draws record numbers: uniform, zipfian of any exponent, latest.
//   - A Mix says how often each kind of operation occurs. MixA to MixF are the YCSB core workloads
//     (Cooper et al., SoCC 2010; the property files workloads/workloada to workloadf).
//   - A Records turns record numbers into keys and (record, version) pairs into values, so that
//     every byte of a value can be checked later without storing it.
//   - A Source hands out operations: YCSB here, recorded traces in package workload/trace.
//   - A Ledger remembers per record which writes were acknowledged and which are in doubt, and
//     judges what a later read returns.
//
// Package workload/runner drives a Source against a store and measures it.
//
// Two choices differ from the Java YCSB on purpose. The zipfian sampler uses rejection-inversion,
// which is exact for every exponent; YCSB's formula (Gray et al., SIGMOD 1994) is only defined for
// exponents below 1. And popular records are scattered over the key space by the bijection in
// Records.Key instead of by hashing ranks onto records, so that scattering leaves the distribution
// exact.
package workload
