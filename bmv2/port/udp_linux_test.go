package port

import (
	"net/netip"
	"testing"
)

func TestRunLength(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		want  int
	}{
		{[]int{60}, 1},
		{[]int{60, 60, 60}, 3},
		{[]int{60, 60, 20, 60}, 3},
		{[]int{60, 61}, 1},
		{[]int{60, 0}, 1},
		{[]int{0, 0}, 1},
		{[]int{2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048,
			2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048, 2048,
			2048,
			2048, 2048, 2048, 2048}, maxRunBytes / 2048},
	} {
		frames := make([][]byte, len(c.sizes))
		for i, n := range c.sizes {
			frames[i] = make([]byte, n)
		}
		if got := runLength(frames); got != c.want {
			t.Errorf("sizes %v: run of %d, want %d", c.sizes, got, c.want)
		}
	}
}

// Where the kernel refuses runs, the frames go one by one, and none is lost.
func TestUDPRefusedRun(t *testing.T) {
	inNamespace(t)
	port, err := ListenUDP(UDPConfig{Local: "10.9.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	// The neighbour is known, but its MTU is too small for the frames of a run.
	to := netip.MustParseAddrPort("10.9.0.2:7000")
	frames := [][]byte{make([]byte, 1900), make([]byte, 1900), make([]byte, 100)}
	if n, err := port.batch.write(frames, to); n != 3 || err != nil {
		t.Errorf("write = %d, %v, want 3", n, err)
	}
	if !port.batch.whole {
		t.Error("the kernel took the run, so the test shows nothing")
	}
}
