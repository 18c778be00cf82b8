package turbokvtest

import "testing"

// BenchmarkRun plays runs of one switch and of many; 1 s / time per operation is seeds per second.
func BenchmarkRun(b *testing.B) {
	for _, shape := range []struct {
		name string
		many bool
	}{{"one-switch", false}, {"many-switches", true}} {
		b.Run(shape.name, func(b *testing.B) {
			seed := uint64(1000)
			var sum Stats
			for b.Loop() {
				o := Draw(seed)
				for o.Shape.many() != shape.many {
					seed++
					o = Draw(seed)
				}
				seed++
				s, err := Play(o)
				if err != nil {
					b.Fatalf("%v: %v", o, err)
				}
				sum.Add(s)
			}
			b.ReportMetric(float64(sum.Frames)/float64(b.N), "frames/op")
		})
	}
}
