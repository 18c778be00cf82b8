package chain

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

// TestLogMatchesTwin compares the ring with a map that never forgets.
func TestLogMatchesTwin(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		var l Log
		start := kv.Seq(r.IntN(40))
		l.Reset(start)
		twin := map[kv.Seq][]byte{}
		base, last := start, start
		for range 500 {
			if r.IntN(3) > 0 {
				last++
				twin[last] = fmt.Appendf(nil, "entry %d %x", last, r.Uint64()>>r.IntN(64))
				if got := l.Append(twin[last]); got != last {
					t.Fatalf("seed %d: entry got seq %d, want %d", seed, got, last)
				}
			} else {
				cut := base + kv.Seq(r.IntN(int(last-base)+3))
				l.Truncate(cut)
				base = min(cut, last)
			}
			if l.Base() != base || l.Last() != last || l.Len() != int(last-base) {
				t.Fatalf("seed %d: log of (%d, %d], want (%d, %d]", seed, l.Base(), l.Last(), base, last)
			}
			for seq := base + 1; seq <= last; seq++ {
				if !bytes.Equal(l.At(seq), twin[seq]) {
					t.Fatalf("seed %d: entry %d is %q, want %q", seed, seq, l.At(seq), twin[seq])
				}
			}
		}
	}
}
