package port

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Frames of the test of order are UDP; the flow is the source port, and a number follows the header.
const (
	orderFlows  = 40
	orderFrames = 20000
	flowAt      = 34
	numberAt    = 42
)

func orderFrame(flow uint16, number uint32) []byte {
	f := make([]byte, 60)
	copy(f, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00")
	copy(f[14:], "\x45\x00\x00\x2e\x00\x00\x40\x00\x40\x11\x00\x00\x0a\x09\x00\x01\x0a\x09\x00\x02")
	copy(f[34:], "\x00\x00\x1b\x58\x00\x1a\x00\x00")
	binary.BigEndian.PutUint16(f[flowAt:], flow)
	binary.BigEndian.PutUint32(f[numberAt:], number)
	return f
}

// ordered checks that the numbers of every flow rise, and that a flow has one reader.
type ordered struct {
	mu      sync.Mutex
	changed sync.Cond
	latest  map[uint16]uint32
	reader  map[uint16]int
	count   int
	wrong   string
	late    bool
}

func newOrdered(t *testing.T) *ordered {
	o := &ordered{latest: make(map[uint16]uint32), reader: make(map[uint16]int)}
	o.changed.L = &o.mu
	timer := time.AfterFunc(time.Minute, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.late = true
		o.changed.Broadcast()
	})
	t.Cleanup(func() { timer.Stop() })
	return o
}

// watch reads a queue until the port is closed.
func (o *ordered) watch(p Queued, queue int) {
	for bufs := buffers(16); ; {
		n, err := p.ReadQueue(queue, bufs)
		if err != nil {
			return
		}
		o.see(queue, bufs[:n])
	}
}

func (o *ordered) see(queue int, frames [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range frames {
		if !isUDP(f) {
			continue
		}
		flow, number := binary.BigEndian.Uint16(f[flowAt:]), binary.BigEndian.Uint32(f[numberAt:])
		if latest, ok := o.latest[flow]; ok && (number <= latest || o.reader[flow] != queue) {
			o.wrong = fmt.Sprintf("flow %d: frame %d of queue %d after frame %d of queue %d", flow,
				number, queue, latest, o.reader[flow])
		}
		o.latest[flow], o.reader[flow] = number, queue
		o.count++
	}
	o.changed.Broadcast()
}

// await waits until so many frames were seen.
func (o *ordered) await(t *testing.T, count int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.count < count && !o.late {
		o.changed.Wait()
	}
	if o.late {
		t.Fatalf("%d frames have come, want %d", o.count, count)
	}
}

// TestWorkersKeepTheOrderOfFlows has several readers share what one sender sends as fast as it can.
func TestWorkersKeepTheOrderOfFlows(t *testing.T) {
	const workers = 4
	for _, io := range []IO{IOSocket, IORing} {
		t.Run(io.String(), func(t *testing.T) {
			inNamespace(t)
			p, err := OpenInterface(InterfaceConfig{Name: "switch0", IO: io, Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if p.Queues() != workers {
				t.Fatalf("%d queues", p.Queues())
			}
			o := newOrdered(t)
			for queue := range workers {
				go o.watch(p, queue)
			}
			sendFlows(t, o)
			used := make(map[int]bool)
			for _, queue := range o.reader {
				used[queue] = true
			}
			if o.wrong != "" || len(o.latest) != orderFlows || len(used) < 2 {
				t.Errorf("%d flows on %d queues; %s", len(o.latest), len(used), o.wrong)
			}
		})
	}
}

// sendFlows sends frames of all flows in turn, all of which must be seen. It is ahead by so few that
// they find room.
func sendFlows(t *testing.T, o *ordered) {
	t.Helper()
	const ahead = 1000
	host, err := OpenPacket("host0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	sent := 0
	for number := uint32(1); sent < orderFrames; number++ {
		var batch [][]byte
		for flow := range uint16(orderFlows) {
			batch = append(batch, orderFrame(flow+5000, number))
		}
		n, err := host.WriteBatch(batch)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		o.await(t, sent-ahead)
	}
	o.await(t, sent)
}
