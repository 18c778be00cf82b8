package v1model

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
)

func sample(t testing.TB, name string) *Switch {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	prog, err := bmv2.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	sw, err := NewSwitch(prog, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return sw
}

func TestOnlyPartsWithRegistersHaveLocks(t *testing.T) {
	for _, c := range []struct{ program, want string }{
		{"copies", "parser false, ingress false, egress false, deparser false, together false"},
		{"tables", "parser false, ingress true, egress false, deparser false, together false"},
		{"registers", "parser false, ingress true, egress true, deparser false, together true"},
	} {
		l := sample(t, c.program).snap.Load().rt.locks
		got := fmt.Sprintf("parser %t, ingress %t, egress %t, deparser %t, together %t", l.parser != nil,
			l.ingress != nil, l.egress != nil, l.deparser != nil, l.ingress != nil && l.ingress == l.egress)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.program, got, c.want)
		}
	}
}

// TestRegistersLoseNothing has workers read, add to and write the same cells.
func TestRegistersLoseNothing(t *testing.T) {
	sw := sample(t, "registers")
	const workers, each = 4, 2000
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			w := sw.NewWorker()
			for range each {
				w.Process(0, []byte{2, 0, 0, 0, 0}, func(uint16, []byte) {})
			}
		})
	}
	// Of i packets in ingress and e in egress, bits 72 and up tell e, those from 32 on i - e, the
	// low ones i + e. The control plane never sees half of a wide cell.
	for range 1000 {
		v, err := sw.ReadRegister("shared", 2)
		if err != nil {
			t.Fatal(err)
		}
		e := uint64(v[0])<<16 | uint64(v[1])<<8 | uint64(v[2])
		sum, between := uint64(binary.BigEndian.Uint32(v[8:])), uint64(binary.BigEndian.Uint32(v[4:]))
		if between > workers || sum != 2*e+between {
			t.Fatalf("half of a packet: %x", v)
		}
	}
	all.Wait()
	count, err := sw.ReadRegister("ingress.counts", 2)
	if err != nil || fmt.Sprintf("%x", count) != fmt.Sprintf("%08x", workers*each) {
		t.Errorf("counted %x, %v", count, err)
	}
	v, err := sw.ReadRegister("shared", 2)
	const n = workers * each
	// n * 0x100000001 + n * 0xffffffffff00000001 = n * (2^72 + 2), in 96 bits
	want := fmt.Sprintf("%08x%016x", n<<8, 2*n)
	if err != nil || fmt.Sprintf("%x", v) != want {
		t.Errorf("the shared cell has %x, want %s, %v", v, want, err)
	}
}

func BenchmarkRegisters(b *testing.B) {
	sw := sample(b, "tables")
	b.RunParallel(func(pb *testing.PB) {
		w, frame := sw.NewWorker(), make([]byte, 200)
		frame[0] = 6
		for pb.Next() {
			w.Process(0, frame, func(uint16, []byte) {})
		}
	})
}
