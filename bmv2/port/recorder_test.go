package port

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"
)

// stored reads a pcap file back.
func stored(t *testing.T, data []byte) (frames [][]byte, at []time.Time) {
	t.Helper()
	r, err := pcapgo.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return frames, at
		}
		if err != nil {
			t.Fatal(err)
		}
		frames, at = append(frames, data), append(at, info.Timestamp)
	}
}

func storedFile(t *testing.T, path string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	frames, _ := stored(t, data)
	return frames
}

func sameFrames(t *testing.T, what string, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d frames, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("%s: frame %d is %x, want %x", what, i, got[i], want[i])
		}
	}
}

// disk is a file in memory whose every write waits for leave.
type disk struct {
	bytes.Buffer
	entered, leave chan struct{}
	fail           error
}

func newDisk() *disk { return &disk{entered: make(chan struct{}), leave: make(chan struct{})} }

func (d *disk) Write(data []byte) (int, error) {
	d.entered <- struct{}{}
	<-d.leave
	if d.fail != nil {
		return 0, d.fail
	}
	return d.Buffer.Write(data)
}

func (d *disk) Close() error { return nil }

// pass lets one write through.
func (d *disk) pass() { <-d.entered; d.leave <- struct{}{} }

func TestRecorderKeepsFramesAndNanoseconds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcap")
	r, err := CreateRecorder(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, at := numbered(5, 60), time.Unix(1700000000, 123456789)
	r.Record(at, want[:2])
	r.Record(at.Add(1), want[2:])
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, times := stored(t, data)
	sameFrames(t, "file", got, want)
	if !times[1].Equal(at) || !times[2].Equal(at.Add(1)) {
		t.Errorf("times %v, want %v and a nanosecond later", times, at)
	}
}

// TestRecorderDoesNotWaitForClose reads what the disk has got while the recorder is open: what a
// killed program leaves.
func TestRecorderDoesNotWaitForClose(t *testing.T) {
	d := newDisk()
	r := newRecorder("x.pcap", d, nil)
	d.pass() // the file header, and perhaps more
	r.Record(time.Now(), numbered(1, 60))
	d.pass()
	<-entries(t, d, r)
	sameFrames(t, "file", first(stored(t, d.Bytes())), numbered(1, 60))
}

func first[A, B any](a A, _ B) A { return a }

// entries closes a recorder whose disk writes at once from now on.
func entries(t *testing.T, d *disk, r *Recorder) <-chan struct{} {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	d.pass() // what is pending: nothing
	return closed
}

func TestRecorderBoundsWhatWaits(t *testing.T) {
	d := newDisk()
	r := newRecorder("x.pcap", d, nil)
	<-d.entered // the disk is stuck with the file header
	frames := numbered(64, MaxFrame)
	offered := 0
	for r.Missing() == 0 {
		r.Record(time.Now(), frames)
		offered += len(frames)
		if offered*MaxFrame > 2*recorderBuffer {
			t.Fatal("the recorder takes everything")
		}
	}
	d.leave <- struct{}{}
	d.pass()
	<-entries(t, d, r)
	if kept := len(first(stored(t, d.Bytes()))); kept+int(r.Missing()) != offered {
		t.Errorf("%d frames kept, %d missing, of %d", kept, r.Missing(), offered)
	}
}

func TestRecorderTellsOnceThatTheDiskIsFull(t *testing.T) {
	d := newDisk()
	d.fail = errors.New("no space")
	told := make(chan error, 10)
	r := newRecorder("x.pcap", d, func(err error) { told <- err })
	d.pass()
	if err := <-told; !errors.Is(err, d.fail) || !strings.Contains(err.Error(), "x.pcap") {
		t.Errorf("told %v", err)
	}
	r.Record(time.Now(), numbered(3, 60)) // nothing waits for this one
	if err := r.Close(); !errors.Is(err, d.fail) {
		t.Errorf("Close: %v", err)
	}
	if len(told) > 0 || r.Missing() != 3 {
		t.Errorf("told %d more errors, %d frames missing", len(told), r.Missing())
	}
}

func TestTeeRecordsBothDirections(t *testing.T) {
	dir := t.TempDir()
	var recorders [2]*Recorder
	for i, name := range []string{"in", "out"} {
		var err error
		if recorders[i], err = CreateRecorder(filepath.Join(dir, name), nil); err != nil {
			t.Fatal(err)
		}
	}
	inner, outer := NewPair(8)
	tee := NewTee(inner, recorders[0], recorders[1])
	in, out := numbered(3, 60), numbered(5, 70)
	outer.WriteBatch(in)
	bufs := buffers(8)
	if n, err := tee.ReadBatch(bufs); n != 3 || err != nil {
		t.Fatalf("ReadBatch = %d, %v", n, err)
	}
	if n, err := tee.WriteBatch(out); n != 5 || err != nil {
		t.Fatalf("WriteBatch = %d, %v", n, err)
	}
	if c, ok := As[Counting](tee); !ok || c != Counting(inner) {
		t.Error("the port below is not found")
	}
	if err := tee.Close(); err != nil {
		t.Fatal(err)
	}
	sameFrames(t, "in", storedFile(t, filepath.Join(dir, "in")), in)
	sameFrames(t, "out", storedFile(t, filepath.Join(dir, "out")), out)
}
