package controller

import (
	"math"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/kv"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func codeOfStatus(err error) codes.Code { return status.Code(err) }

func cells(index int64, packets uint64) []p4rt.Cell {
	return []p4rt.Cell{{Index: index, Packets: packets}}
}

func TestRatesApproachTheLoad(t *testing.T) {
	m := newLoadMeter()
	for i := range uint64(61) {
		m.observe(time.Duration(i)*time.Second, cells(1, 1000+100*i), cells(1, 10*i), nil)
	}
	l := m.of(1)
	if l.reads != 6000 || l.writes != 600 || math.Abs(l.readRate-100) > 1 ||
		math.Abs(l.writeRate-10) > 0.1 {
		t.Fatalf("%+v: want 6000 reads at 100/s, 600 writes at 10/s", l)
	}
	for i := range uint64(60) {
		m.observe(time.Duration(61+i)*time.Second, cells(1, 7000), cells(1, 600), nil)
	}
	if l := m.of(1); l.readRate > 0.1 || l.writeRate > 0.1 {
		t.Fatalf("%+v: the load has gone", l)
	}
}

func TestCountersMayBeginAgain(t *testing.T) {
	m := newLoadMeter()
	m.observe(0, cells(1, 500), nil, nil) // counted before this controller started
	m.observe(time.Second, cells(1, 600), nil, nil)
	m.observe(2*time.Second, cells(1, 30), nil, nil) // the switch has restarted
	if l := m.of(1); l.reads != 130 {
		t.Fatalf("%d reads, want 100 and 30", l.reads)
	}
	m.observe(3*time.Second, cells(2, 9), nil, map[kv.SubRangeID]bool{2: true})
	if l := m.of(2); l.reads != 9 {
		t.Fatalf("%d reads, want all 9 of a cell that is used for the first time", l.reads)
	}
	if l := m.of(1); l != (load{}) {
		t.Fatalf("%+v: the sub-range is gone", l)
	}
}

func TestASessionThatIsNotReadEnds(t *testing.T) {
	s := newSession(1)
	for range outboxLimit + 1 {
		s.put(&controlpb.ControllerMessage{})
	}
	if _, err := s.next(); codeOfStatus(err) != codes.ResourceExhausted {
		t.Fatal(err)
	}
}
