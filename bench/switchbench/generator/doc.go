// Package generator loads a switch: it sends frames over one network interface, as fast as it can or
// at a given rate, and counts or times those that come back over another. It needs Linux and
// CAP_NET_RAW.
//
// One thread does everything and never sleeps, so that no wake-up is measured. Frames are sent with
// sendmmsg past the queueing discipline. What comes back is counted by the interface itself, which
// costs nobody anything; only when latencies are asked for is it received, in a ring shared with the
// kernel. A thread that is alone on its processor sends steadily; see Trial.Elapsed for what it could
// not keep up with.
package generator
