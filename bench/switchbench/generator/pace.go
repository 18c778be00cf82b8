package generator

// pace tells when frames are due. A sender that was held up does not catch up, which would be a burst
// that nobody has offered: it goes on from where it is, and has offered less.
type pace struct {
	rate  float64 // frames a second; 0 is no limit
	begin int64   // nanoseconds
	sent  float64 // frames, those that were given up included
}

// batch is the number of frames that one system call sends at most.
const batch = 64

// burst is the most that is due at a time.
const burst = 32

// due returns how many frames to send now, at least 0.
func (p *pace) due(at int64) int {
	if p.rate == 0 {
		return batch
	}
	behind := p.rate*float64(at-p.begin)/1e9 - p.sent
	if behind > burst {
		p.sent += behind - burst
		behind = burst
	}
	return max(0, int(behind))
}
