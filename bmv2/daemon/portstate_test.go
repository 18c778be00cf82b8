package daemon

import (
	"slices"
	"sync"
	"testing"

	"github.com/turbokv/turbokv/bmv2/port"
)

// statedPort is a port whose cable the test pulls.
type statedPort struct {
	*port.Mem
	mu   sync.Mutex
	now  port.State
	tell func(port.State)
}

func (s *statedPort) Notify(f func(port.State)) port.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell = f
	return s.now
}

func TestPortsFollowTheirCables(t *testing.T) {
	var told []port.State
	r := newRig(t, Config{Events: Events{PortState: func(number uint16, s port.State) {
		if number != 7 {
			t.Errorf("told of port %d", number)
		}
		told = append(told, s)
	}}}, 1)
	inner, _ := port.NewPair(8)
	p := &statedPort{Mem: inner, now: port.Down}
	tee := port.NewTee(p, nil, nil) // the state is found behind it
	if err := r.daemon.AddPort(7, tee); err != nil {
		t.Fatal(err)
	}
	check := func(want port.State) {
		t.Helper()
		i := slices.IndexFunc(r.daemon.Ports(), func(c PortCounters) bool { return c.Number == 7 })
		if got := r.daemon.Ports()[i].State; got != want || r.daemon.hasPort(7) != (want == port.Up) {
			t.Errorf("listed as %v, want %v; in service: %v", got, want, r.daemon.hasPort(7))
		}
	}
	check(port.Down)
	for _, s := range []port.State{port.Up, port.Absent, port.Down, port.Up} {
		p.tell(s)
		check(s)
	}
	if err := r.daemon.RemovePort(7); err != nil {
		t.Fatal(err)
	}
	p.tell(port.Down) // nobody is interested any more
	if want := []port.State{port.Up, port.Absent, port.Down, port.Up}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
