// Package runner drives the operations of a workload.Source against a store with many requests in
// flight, measures them, and afterwards verifies what was acknowledged by reading it back.
//
// A store is anything that implements Target; the command line runs TurboKV through it and the
// comparison in bench/ runs etcd, so both are measured by the same code. Latency is taken from
// just before a request is handed to the Target to just after it returned, in HdrHistograms of
// three significant digits.
//
// The loop is closed: each of Config.Clients clients has one request in flight and sends the next
// when it is answered. Latency under such a load does not include the time that requests of an
// open system would have waited ("coordinated omission"): compare latencies at equal numbers of
// clients only.
package runner
