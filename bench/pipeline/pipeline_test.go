package pipeline

import "testing"

func BenchmarkPipeline(b *testing.B) {
	sw, err := NewSwitch()
	if err != nil {
		b.Fatal(err)
	}
	for _, l := range Loads() {
		b.Run(l.Name, Run(sw, l))
	}
}

// Every frame of every load must leave the switch once, towards a node.
func TestLoadsAreForwarded(t *testing.T) {
	sw, err := NewSwitch()
	if err != nil {
		t.Fatal(err)
	}
	worker := sw.NewWorker()
	for _, l := range Loads() {
		sent := 0
		for _, frame := range l.Frames {
			worker.Process(9, frame, func(port uint16, _ []byte) {
				if port < 1 || port > nodes {
					t.Fatalf("%s: left through port %d", l.Name, port)
				}
				sent++
			})
		}
		if sent != len(l.Frames) {
			t.Errorf("%s: %d of %d frames left the switch", l.Name, sent, len(l.Frames))
		}
	}
}
