package session

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// bottleneck is a server that takes a fixed time per request, in front of it a queue that drops
// what it has no room for, and clients that always want more than it can do, in virtual time.
type bottleneck struct {
	t        *testing.T
	service  time.Duration // per request
	room     int           // of the queue, in packets
	delay    time.Duration // of the network, round trip
	callers  int           // per client; each has one request at a time
	sessions []*Session
	outs     []Output

	now      time.Duration
	busy     time.Duration // the server is, until then
	replies  []arrival     // ascending
	answered []int         // by client
	latency  []time.Duration
	dropped  int
	received int
}

type arrival struct {
	at     time.Duration
	client int
	packet wire.Packet
}

func (b *bottleneck) run(clients int, duration time.Duration) {
	b.outs, b.answered = make([]Output, clients), make([]int, clients)
	for i := range clients {
		s, err := New(Config{Rand: rand.New(rand.NewPCG(uint64(i), 9))})
		if err != nil {
			b.t.Fatal(err)
		}
		b.sessions = append(b.sessions, s)
		for range b.callers {
			b.submit(i)
		}
	}
	for b.now < duration {
		b.step()
	}
}

func (b *bottleneck) submit(i int) {
	b.sessions[i].Submit(b.now, &Request{
		Op: wire.OpGet, Partitioner: kv.HashPartitioned, Key: []byte("key"),
		Deadline: b.now + 10*time.Second, Tag: i,
	}, &b.outs[i])
}

// step moves on to the next event: a reply arrives, or a timer runs out.
func (b *bottleneck) step() {
	b.send()
	next, timer := never, -1
	for i, s := range b.sessions {
		if at, _ := s.Wake(); at < next {
			next, timer = at, i
		}
	}
	if len(b.replies) > 0 && b.replies[0].at <= next {
		r := b.replies[0]
		b.replies = b.replies[1:]
		b.now = max(b.now, r.at)
		b.sessions[r.client].Deliver(b.now, r.packet, &b.outs[r.client])
	} else {
		b.now = max(b.now, next)
		b.sessions[timer].Tick(b.now, &b.outs[timer])
	}
	for i := range b.outs {
		for _, c := range b.outs[i].Completions {
			b.answered[i]++
			b.latency = append(b.latency, c.Elapsed)
			b.submit(i)
		}
		b.outs[i].Completions = b.outs[i].Completions[:0]
	}
}

// send puts packets into the server's queue, as far as there is room.
func (b *bottleneck) send() {
	for i := range b.outs {
		for _, p := range b.outs[i].Packets {
			b.received++
			waiting := max(0, int((b.busy-b.now)/b.service))
			if waiting >= b.room {
				b.dropped++
				continue
			}
			b.busy = max(b.busy, b.now) + b.service
			r := wire.Packet(p.AppendReply(nil, wire.StatusOK))
			r.Seal()
			b.replies = append(b.replies, arrival{b.busy + b.delay, i, r})
		}
		b.outs[i].Reset()
	}
}

func TestClientsShareABottleneck(t *testing.T) {
	const (
		duration = 400 * time.Millisecond
		short    = 50 * time.Microsecond
		long     = 2 * time.Millisecond
	)
	for _, c := range []struct {
		name                   string
		room, clients, callers int
		delay                  time.Duration
		loss, unfair           float64 // bounds
		p99                    time.Duration
	}{
		{"one client, room for all", 1024, 1, 256, short, 0, 1, 2 * time.Millisecond},
		{"one client, little room", 64, 1, 512, short, 0.03, 1, 10 * time.Millisecond},
		{"eight clients, little room", 256, 8, 256, short, 0.05, 1.5, 30 * time.Millisecond},
		{"eight clients, long round trip", 256, 8, 256, long, 0.03, 2, 30 * time.Millisecond},
	} {
		b := bottleneck{
			t: t, service: 4 * time.Microsecond, room: c.room, delay: c.delay, callers: c.callers,
		}
		b.run(c.clients, duration)
		slices.Sort(b.latency)
		p99 := b.latency[len(b.latency)*99/100]
		use := float64(len(b.latency)) * b.service.Seconds() / duration.Seconds()
		loss := float64(b.dropped) / float64(b.received)
		unfair := float64(slices.Max(b.answered)) / float64(slices.Min(b.answered))
		t.Logf("%s: use %.2f, loss %.4f, most over least %.2f, p99 %v", c.name, use, loss, unfair, p99)
		if use < 0.95 || loss > c.loss || unfair > c.unfair || p99 > c.p99 {
			t.Errorf("%s: want at least 0.95, at most %.2f, %.1f and %v", c.name, c.loss, c.unfair, c.p99)
		}
	}
}
