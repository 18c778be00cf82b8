package port

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// timed is a frame of a file.
type timed struct {
	at    time.Duration
	frame []byte
}

func writePcap(t testing.TB, path string, frames ...timed) {
	t.Helper()
	var out bytes.Buffer
	w := pcapgo.NewWriterNanos(&out)
	err := w.WriteFileHeader(0, layers.LinkTypeEthernet)
	for _, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1, 0).Add(f.at),
			CaptureLength: len(f.frame), Length: len(f.frame)}
		err = errors.Join(err, w.WritePacket(info, f.frame))
	}
	if err := errors.Join(err, os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func openPlayed(t *testing.T, r *Replay, path string) *Played {
	t.Helper()
	p, err := r.Open(path, path+".out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// TestReplayKeepsTheOrderOfAllFiles spreads numbered frames over files; readers of all ports, which
// take batches of random sizes, must see them in their order.
func TestReplayKeepsTheOrderOfAllFiles(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		dir, ports := t.TempDir(), 1+rnd.IntN(4)
		files := make([][]timed, ports)
		const frames = 200
		for i, f := range numbered(frames, 60) {
			to := rnd.IntN(ports)
			files[to] = append(files[to], timed{time.Duration(i), f})
		}
		r := NewReplay(func(err error) { t.Error(err) })
		var readers sync.WaitGroup
		var mu sync.Mutex
		var order []uint32
		for i, f := range files {
			path := filepath.Join(dir, fmt.Sprint(i))
			writePcap(t, path, f...)
			p, bufs := openPlayed(t, r, path), buffers(1+rnd.IntN(8))
			readers.Go(func() {
				for {
					n, err := p.ReadBatch(bufs)
					if err != nil {
						return
					}
					for _, f := range bufs[:n] {
						mu.Lock()
						order = append(order, binary.BigEndian.Uint32(f))
						mu.Unlock()
					}
				}
			})
		}
		r.Start(0)
		<-r.Done()
		for _, p := range r.ports {
			p.Close()
		}
		readers.Wait()
		if len(order) != frames || !slices.IsSorted(order) {
			t.Fatalf("seed %d: %d frames, order %v", seed, len(order), order)
		}
	}
}

func TestReplayWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	writePcap(t, path, timed{0, numbered(1, 60)[0]})
	synctest.Test(t, func(t *testing.T) {
		r, begin := NewReplay(nil), time.Now()
		p := openPlayed(t, r, path)
		r.Start(3 * time.Second)
		if n, err := p.ReadBatch(buffers(4)); n != 1 || err != nil {
			t.Errorf("ReadBatch = %d, %v", n, err)
		}
		if waited := time.Since(begin); waited != 3*time.Second {
			t.Errorf("the first frame came after %v", waited)
		}
		p.Close()
	})
}

func TestReplayWritesWhatIsSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	writePcap(t, path)
	p := openPlayed(t, NewReplay(nil), path)
	if n, err := p.WriteBatch(numbered(3, 60)); n != 3 || err != nil {
		t.Fatalf("WriteBatch = %d, %v", n, err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	sameFrames(t, "out", storedFile(t, path+".out"), numbered(3, 60))
	if _, err := p.WriteBatch(numbered(1, 60)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteBatch after Close: %v", err)
	}
}

// TestReplayPassesOverPortsThatClose closes a port in its turn; the others must go on.
func TestReplayPassesOverPortsThatClose(t *testing.T) {
	dir, frames := t.TempDir(), numbered(4, 60)
	writePcap(t, filepath.Join(dir, "a"), timed{0, frames[0]}, timed{2, frames[2]})
	writePcap(t, filepath.Join(dir, "b"), timed{1, frames[1]}, timed{3, frames[3]})
	r, bufs := NewReplay(nil), buffers(4)
	a, b := openPlayed(t, r, filepath.Join(dir, "a")), openPlayed(t, r, filepath.Join(dir, "b"))
	r.Start(0)
	if n, err := a.ReadBatch(bufs); n != 1 || err != nil {
		t.Fatalf("ReadBatch = %d, %v", n, err)
	}
	a.Close()
	n, err := b.ReadBatch(bufs)
	if err != nil {
		t.Fatal(err)
	}
	sameFrames(t, "b", bufs[:n], [][]byte{frames[1], frames[3]})
	b.Close()
	<-r.Done()
}

func TestReplayTellsOfBrokenFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	writePcap(t, path, timed{0, numbered(1, 60)[0]}, timed{1, numbered(1, 60)[0]})
	if err := os.Truncate(path, 24+16+60+16+7); err != nil {
		t.Fatal(err)
	}
	var told []string
	r := NewReplay(func(err error) { told = append(told, err.Error()) })
	p := openPlayed(t, r, path)
	r.Start(0)
	if n, err := p.ReadBatch(buffers(4)); n != 1 || err != nil {
		t.Errorf("ReadBatch = %d, %v", n, err)
	}
	if len(told) != 1 || !strings.Contains(told[0], path) {
		t.Errorf("told %q", told)
	}
	for name, text := range map[string]string{"absent": "", "empty": "", "text": "no pcap, but long enough"} {
		path := filepath.Join(t.TempDir(), name)
		if name != "absent" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Open(path, path+".out"); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v does not name the file", name, err)
		}
	}
}

func FuzzReplay(f *testing.F) {
	seed := filepath.Join(f.TempDir(), "in")
	writePcap(f, seed, timed{0, numbered(1, 60)[0]}, timed{1, make([]byte, MaxFrame+1)})
	data, err := os.ReadFile(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := NewReplay(nil)
		p, err := r.Open(path, path+".out")
		if err != nil {
			return
		}
		r.Start(0)
		read := make(chan struct{})
		go func() {
			defer close(read)
			for bufs := buffers(4); ; {
				n, err := p.ReadBatch(bufs)
				if err != nil {
					return
				}
				for _, b := range bufs[:n] {
					if len(b) == 0 || len(b) > MaxFrame {
						t.Errorf("a frame of %d bytes", len(b))
					}
				}
			}
		}()
		<-r.Done()
		p.Close()
		<-read
	})
}
