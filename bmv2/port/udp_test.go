package port

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"
)

// tunnel returns a connected switch end and host end on the loopback interface.
func tunnel(t testing.TB) (sw, host *UDP) {
	t.Helper()
	sw, err := ListenUDP(UDPConfig{Local: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sw.Close() })
	host, err = DialTunnel("127.0.0.1:0", sw.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	return sw, host
}

// collect reads frames until it has n.
func collect(t testing.TB, p Port, n int) [][]byte {
	t.Helper()
	var frames [][]byte
	bufs := buffers(maxBatch)
	for len(frames) < n {
		got, err := p.ReadBatch(bufs)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range bufs[:got] {
			frames = append(frames, bytes.Clone(f))
		}
	}
	return frames
}

func equalFrames(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("frame %d:\ngot  %x\nwant %x", i, got[i], want[i])
		}
	}
}

func TestUDPLearnsItsPeerAndAnswers(t *testing.T) {
	sw, host := tunnel(t)
	up := numbered(100, 90) // more than one system call moves
	if n, err := host.WriteBatch(up); n != 100 || err != nil {
		t.Fatalf("WriteBatch = %d, %v", n, err)
	}
	equalFrames(t, collect(t, sw, 100), up)
	if sw.Peer() != host.LocalAddr() {
		t.Errorf("learned %v, want %v", sw.Peer(), host.LocalAddr())
	}
	down := numbered(3, 1400)
	if n, err := sw.WriteBatch(down); n != 3 || err != nil {
		t.Fatalf("WriteBatch = %d, %v", n, err)
	}
	equalFrames(t, collect(t, host, 3), down)
}

// Frames of one size leave as runs, which a peer that knows nothing of it receives one by one.
func TestUDPRunsArriveAsDatagrams(t *testing.T) {
	plain, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	host, err := DialTunnel("127.0.0.1:0", plain.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	var want [][]byte
	for i, size := range []int{90, 90, 90, 40, 90, 1500, 1500, 1501, 14, 14, 2048} {
		want = append(want, bytes.Repeat([]byte{byte(i)}, size))
	}
	if n, err := host.WriteBatch(want); n != len(want) || err != nil {
		t.Fatalf("WriteBatch = %d, %v", n, err)
	}
	if err := plain.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for buf := make([]byte, 1<<16); len(got) < len(want); {
		n, err := plain.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 { // the greeting is empty
			got = append(got, bytes.Clone(buf[:n]))
		}
	}
	equalFrames(t, got, want)
}

func TestUDPLastSenderWins(t *testing.T) {
	sw, first := tunnel(t)
	first.WriteBatch(numbered(1, 60))
	collect(t, sw, 1)
	second, err := DialTunnel("", sw.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	second.WriteBatch(numbered(1, 60))
	collect(t, sw, 1)
	if sw.Peer().Port() != second.LocalAddr().Port() {
		t.Errorf("peer %v, want %v", sw.Peer(), second.LocalAddr())
	}
}

func TestUDPFixedPeerShutsOthersOut(t *testing.T) {
	host, err := ListenUDP(UDPConfig{Local: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	sw, err := ListenUDP(UDPConfig{Local: "127.0.0.1:0", Remote: host.LocalAddr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer sw.Close()
	stranger, err := DialTunnel("127.0.0.1:0", sw.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	stranger.WriteBatch([][]byte{bytes.Repeat([]byte("s"), 60)})
	sw.WriteBatch(numbered(1, 60)) // tells the host whom to answer
	collect(t, host, 1)
	want := numbered(1, 61)
	host.WriteBatch(want)
	equalFrames(t, collect(t, sw, 1), want)
}

func TestUDPDropsWithoutPeerAndTooLong(t *testing.T) {
	sw, err := ListenUDP(UDPConfig{Local: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer sw.Close()
	if n, err := sw.WriteBatch(numbered(2, 60)); n != 0 || err != nil {
		t.Errorf("WriteBatch without a peer = %d, %v", n, err)
	}
	host, err := DialTunnel("127.0.0.1:0", sw.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	long := make([]byte, MaxFrame+1)
	if n, err := host.WriteBatch([][]byte{long, long[:60]}); n != 1 || err != nil {
		t.Errorf("WriteBatch of one frame that is too long and one that is not = %d, %v", n, err)
	}
	host.conn.Write(long)
	host.WriteBatch(numbered(1, 70))
	collect(t, sw, 2)
	if got, want := sw.Counters(), (Counters{RxDrops: 1, TxDrops: 2}); got != want {
		t.Errorf("switch counted %+v, want %+v", got, want)
	}
	if got := host.Counters().TxDrops; got != 1 {
		t.Errorf("host counted %d, want 1", got)
	}
}

// A host that is not there yet must not break the port.
func TestUDPSurvivesAbsentPeer(t *testing.T) {
	sw, host := tunnel(t)
	address := sw.LocalAddr().String()
	sw.Close()
	host.WriteBatch(numbered(1, 60)) // is answered by "port unreachable"
	host.WriteBatch(numbered(1, 60))
	again, err := ListenUDP(UDPConfig{Local: address, Remote: host.LocalAddr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	want := numbered(1, 64)
	again.WriteBatch(want)
	equalFrames(t, collect(t, host, 1), want)
}

func TestUDPCloseUnblocksReader(t *testing.T) {
	sw, _ := tunnel(t)
	result := make(chan error)
	go func() {
		_, err := sw.ReadBatch(buffers(1))
		result <- err
	}()
	sw.Close()
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadBatch after Close: %v", err)
	}
	if _, err := sw.WriteBatch(numbered(1, 60)); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteBatch after Close: %v", err)
	}
	if err := sw.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// Large batches of mixed sizes come through whole and in order, whatever runs they make.
func TestUDPMixedSizes(t *testing.T) {
	sw, host := tunnel(t)
	for seed := range 20 {
		var want [][]byte
		for i := range 150 {
			size := 14 + (i*i*7+seed*31)%5*300
			if i%7 < 4 {
				size = 1200
			}
			want = append(want, bytes.Repeat([]byte{byte(i), byte(seed)}, size/2))
		}
		if n, err := host.WriteBatch(want); n != len(want) || err != nil {
			t.Fatalf("WriteBatch = %d, %v", n, err)
		}
		equalFrames(t, collect(t, sw, len(want)), want)
	}
}

func TestUDPRejectsBadAddresses(t *testing.T) {
	if _, err := ListenUDP(UDPConfig{Local: "nowhere"}); err == nil {
		t.Error("an address without a port was taken")
	}
	if _, err := DialTunnel("", ""); err == nil {
		t.Error("a tunnel to nowhere was opened")
	}
}

func TestUDPAllocatesNothing(t *testing.T) {
	sw, host := tunnel(t)
	frames, bufs := numbered(8, 200), buffers(8)
	allocs := testing.AllocsPerRun(50, func() {
		host.WriteBatch(frames)
		for got := 0; got < 8; {
			n, err := sw.ReadBatch(bufs)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
		sw.WriteBatch(frames)
		for got := 0; got < 8; {
			n, err := host.ReadBatch(bufs)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for each batch", allocs)
	}
}

// BenchmarkUDP moves batches of 32 frames of 200 bytes through a tunnel; one operation is one
// frame.
func BenchmarkUDP(b *testing.B) {
	sw, host := tunnel(b)
	frames, bufs := numbered(32, 200), buffers(32)
	b.ReportAllocs()
	for i := 0; i < b.N; i += 32 {
		host.WriteBatch(frames)
		for got := 0; got < 32; {
			n, err := sw.ReadBatch(bufs)
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
}
