package tables

import (
	"math/rand/v2"
	"testing"
)

func TestValuesAreCanonical(t *testing.T) {
	for n, want := range map[uint64]Value{
		0: "\x00", 1: "\x01", 255: "\xff", 256: "\x01\x00", 1 << 63: "\x80\x00\x00\x00\x00\x00\x00\x00",
	} {
		if got := Uint(n); got != want {
			t.Errorf("Uint(%d) = %v, want %v", n, got, want)
		}
		if back, ok := Uint(n).Uint64(); !ok || back != n {
			t.Errorf("%d came back as %d, %v", n, back, ok)
		}
	}
	if Bytes(nil) != "\x00" || Bytes([]byte{0, 0, 7}) != "\x07" {
		t.Error("leading zeros stay")
	}
}

func TestFillIsTheInverseOfBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var want, got [16]byte
		for i := r.IntN(17); i < 16; i++ {
			want[i] = byte(r.Uint32())
		}
		v := Bytes(want[:])
		if !v.Fill(got[:]) || got != want {
			t.Fatalf("%x -> %v -> %x", want, v, got)
		}
		if v.BitLen() > 128 || len(v) > 1 && (v.BitLen()+7)/8 != len(v) {
			t.Fatalf("%v: %d bits", v, v.BitLen())
		}
	}
	if Uint(0x10000).Fill(make([]byte, 2)) {
		t.Error("three bytes went into two")
	}
}

func TestKeyIgnoresOrderAndAction(t *testing.T) {
	a := Entry{Table: "t", Action: "x", Match: []Match{
		{Field: "b", Kind: Exact, Value: Uint(1)}, {Field: "a", Kind: LPM, Value: Uint(8),
			Prefix: 5}}}
	b := Entry{Table: "t", Action: "y", Match: []Match{a.Match[1], a.Match[0]}}
	a.Normalize()
	b.Normalize()
	if a.Key() != b.Key() || a.Equal(b) {
		t.Fatalf("%v and %v: keys %q, %q", a, b, a.Key(), b.Key())
	}
	b.Match[0].Prefix = 6
	if a.Key() == b.Key() {
		t.Fatal("another prefix, the same key")
	}
}

func TestCloneSessionsIgnoreTheOrderOfReplicas(t *testing.T) {
	a := CloneSession{ID: 1, Replicas: []Replica{{1, 1}, {2, 1}}}
	b := CloneSession{ID: 1, Replicas: []Replica{{2, 1}, {1, 1}}}
	if !a.Equal(b) || a.Equal(CloneSession{ID: 1, Replicas: a.Replicas[:1]}) {
		t.Fatal("replicas are a set")
	}
}
