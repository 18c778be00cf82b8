package generator

import "testing"

// A sender that looks every 10 µs sends what was asked for.
func TestPaceKeepsTheRate(t *testing.T) {
	p, sent := pace{rate: 123_456, begin: 5}, 0
	for at := int64(0); at <= 1e9; at += 10_000 {
		n := p.due(5 + at)
		p.sent += float64(n)
		sent += n
	}
	if sent != 123_456 {
		t.Errorf("sent %d frames in a second, want 123456", sent)
	}
}

func TestPaceDoesNotCatchUp(t *testing.T) {
	p := pace{rate: 1e6}
	if n := p.due(1e6); n != burst {
		t.Errorf("after a millisecond %d frames are due, want %d", n, burst)
	}
	p.sent += burst
	if n := p.due(1e6 + 10_000); n != 10 {
		t.Errorf("10 µs later %d frames are due, want 10", n)
	}
}
