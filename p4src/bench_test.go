package p4src_test

import "testing"

// BenchmarkPipeline measures one core of the built-in switch on the whole program: a GET from
// client to tail, a PUT from client to head, and a reply as plain IPv4, all with the rack's tables.
func BenchmarkPipeline(b *testing.B) {
	for _, c := range []struct{ name, frame string }{
		{"get", "tkv(op=GET key=Apple)"},
		{"put", "tkv(op=PUT key=Apple value=red)"},
		{"plain", "udp(ip.dst=10.0.0.11)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := newBuiltIn(b)
			r := run{device: d, expected: map[uint16][][]byte{}}
			for _, s := range readScript(b, "testdata/rack.stf") {
				if err := r.execute(s); err != nil {
					b.Fatal(err)
				}
			}
			frame, err := r.notation.parse(c.frame, true)
			if err != nil {
				b.Fatal(err)
			}
			sent := 0
			count := func(uint16, []byte) { sent++ }
			b.ReportAllocs()
			for b.Loop() {
				d.worker.Process(1, frame, count)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpps")
			if sent != b.N {
				b.Errorf("%d of %d frames left the switch", sent, b.N)
			}
		})
	}
}
