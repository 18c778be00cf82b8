package serverlib

import (
	"slices"
	"testing"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// keyPacket is a request for a numbered index key.
func keyPacket(p wire.Packet, n int) wire.Packet {
	p.SetIndexKey(kv.IndexKey{byte(n >> 8), byte(n)})
	return p
}

// TestSamplesAreDrawnEvenly counts how often each of 100 places in a report's time is drawn in 20,000
// reports. Each is expected 1,600 times with a deviation of 38; five of them are allowed.
func TestSamplesAreDrawnEvenly(t *testing.T) {
	const places, rounds = 100, 20_000
	p := wire.Packet(wire.Append(nil, wire.OpGet))
	var s reservoir
	var counts [places]int
	for range rounds {
		for n := range places {
			s.note(keyPacket(p, n))
		}
		for _, k := range s.take() {
			counts[int(k[0])<<8|int(k[1])]++
		}
	}
	const want = rounds * samplesMax / places
	for n, got := range counts {
		if got < want-190 || got > want+190 {
			t.Errorf("place %d is drawn %d times, want about %d", n, got, want)
		}
	}
}

// TestFewRequestsAreAllSamples: up to the size of the reservoir, everything is kept, in order; then
// it begins anew.
func TestFewRequestsAreAllSamples(t *testing.T) {
	p := wire.Packet(wire.Append(nil, wire.OpGet))
	var s reservoir
	if got := s.take(); got != nil {
		t.Fatalf("samples of nothing: %v", got)
	}
	for round := range 3 {
		var want []kv.IndexKey
		for n := range samplesMax {
			s.note(keyPacket(p, round*100+n))
			want = append(want, kv.IndexKey{byte((round*100 + n) >> 8), byte(round*100 + n)})
			if n%3 == 2 {
				if got := s.take(); !slices.Equal(got, want) {
					t.Fatalf("%v, want %v", got, want)
				}
				want = nil
			}
		}
		s.take()
	}
}
