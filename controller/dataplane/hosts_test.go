package dataplane

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/turbokv/turbokv/controller/reconcile/tables"
	"github.com/turbokv/turbokv/wire"
)

func hostAt(i int, port Port) Route {
	return Route{Addr: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}),
		MAC: wire.MAC{2, byte(i >> 8), byte(i)}, Port: port}
}

func TestHostIsForgottenOnlyAfterItWasAskedAndSilent(t *testing.T) {
	h := NewHosts(10, time.Minute)
	if !h.Learn(0, hostAt(1, 1)) || h.Learn(time.Second, hostAt(1, 1)) {
		t.Fatal("the first report changes something, a repetition does not")
	}
	if !h.Learn(2*time.Second, hostAt(1, 2)) {
		t.Fatal("a host has moved")
	}
	at := 2*time.Second + time.Minute
	if !h.Age(at-1, at) || h.Age(at, at+1) {
		t.Fatal("growing old is one change")
	}
	if known, silent := h.Routes(at); len(known) != 0 || len(silent) != 1 {
		t.Fatalf("an old host: known %v, silent %v", known, silent)
	}
	if !h.Learn(at+time.Second, hostAt(1, 2)) {
		t.Fatal("a living host answers and is known again")
	}
	if known, _ := h.Routes(at + 2*time.Second); len(known) != 1 {
		t.Fatal("not known again")
	}
	end := at + time.Second + 2*time.Minute
	if !h.Age(end-1, end) || h.Len() != 0 {
		t.Fatal("a host that stays silent is forgotten")
	}
}

func TestAFloodOfAddressesDoesNotPushOutLivingHosts(t *testing.T) {
	h := NewHosts(100, time.Minute)
	for i := range 50 {
		h.Learn(0, hostAt(i, 1))
	}
	for i := range 10000 {
		h.Learn(time.Second, hostAt(1000+i, 2))
	}
	if h.Len() != 100 || h.Refused != 9950 {
		t.Fatalf("%d hosts, %d refused", h.Len(), h.Refused)
	}
	known, _ := h.Routes(time.Second)
	for i := range 50 {
		if known[i] != hostAt(i, 1) {
			t.Fatalf("host %d was pushed out: %v", i, known[i])
		}
	}
	if !h.Learn(2*time.Minute, hostAt(5000, 3)) || h.Len() != 100 {
		t.Fatal("a new host must find the room of a silent one")
	}
}

func TestAdoptionGivesBackWhatWasInstalled(t *testing.T) {
	h := NewHosts(10, time.Minute)
	for i := range 5 {
		h.Learn(0, hostAt(i, Port(i+1)))
	}
	sw := testSwitch
	sw.Hosts, sw.Silent = h.Routes(0)
	installed := Desired(testDirectory(t, 2).View(), sw)
	again := NewHosts(10, time.Minute)
	again.Adopt(0, "", installed, func(r Route) bool { return r.Addr.As4()[1] == 0 }) // the nodes
	known, _ := again.Routes(0)
	if want, _ := h.Routes(0); !reflect.DeepEqual(known, want) {
		t.Fatalf("adopted %v, want %v", known, want)
	}
}

func TestRandomReportsKeepTheBound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	h := NewHosts(20, time.Minute)
	now, last := time.Duration(0), time.Duration(0)
	for range 5000 {
		now += time.Duration(r.Int64N(int64(10 * time.Second)))
		before, _ := h.Routes(last)
		if r.IntN(4) == 0 {
			h.Age(last, now)
			last = now
		} else if !h.Learn(now, hostAt(r.IntN(60), Port(1+r.IntN(3)))) && h.Len() > 20 {
			t.Fatal("bound broken")
		}
		known, silent := h.Routes(now)
		if len(known)+len(silent) != h.Len() || h.Len() > 20 {
			t.Fatalf("%d known, %d silent, %d in all; before %v", len(known), len(silent), h.Len(),
				before)
		}
	}
}

func TestDigestsThatCannotBeHostsAreRefused(t *testing.T) {
	good := []tables.Value{tables.Bytes([]byte{10, 1, 2, 3}),
		tables.Bytes([]byte{2, 0, 0, 0, 0, 9}),
		tables.Uint(7)}
	if r, ok := RouteOfDigest(good); !ok || r.Port != 7 || r.Addr.String() != "10.1.2.3" {
		t.Fatalf("%+v, %v", r, ok)
	}
	for name, spoil := range map[string]func([]tables.Value) []tables.Value{
		"too short": func(m []tables.Value) []tables.Value { return m[:2] },
		"multicast": func(m []tables.Value) []tables.Value {
			m[0] = tables.Bytes([]byte{224, 0,
				0, 1})
			return m
		},
		"loopback": func(m []tables.Value) []tables.Value {
			m[0] = tables.Bytes([]byte{127, 0,
				0, 1})
			return m
		},
		"long address": func(m []tables.Value) []tables.Value { m[0] = tables.Uint(1 << 32); return m },
		"group MAC": func(m []tables.Value) []tables.Value {
			m[1] = tables.Bytes([]byte{1, 0, 0,
				0, 0, 9})
			return m
		},
		"no MAC":        func(m []tables.Value) []tables.Value { m[1] = tables.Uint(0); return m },
		"controller":    func(m []tables.Value) []tables.Value { m[2] = tables.Uint(510); return m },
		"port zero":     func(m []tables.Value) []tables.Value { m[2] = tables.Uint(0); return m },
		"enormous port": func(m []tables.Value) []tables.Value { m[2] = "\x01\x00\x00\x00\x00\x00\x00\x00\x00"; return m },
	} {
		members := append([]tables.Value(nil), good...)
		if r, ok := RouteOfDigest(spoil(members)); ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func FuzzRouteOfDigest(f *testing.F) {
	f.Add([]byte{10, 1, 2, 3}, []byte{2, 0, 0, 0, 0, 9}, []byte{7})
	f.Fuzz(func(t *testing.T, addr, mac, port []byte) {
		r, ok := RouteOfDigest([]tables.Value{tables.Bytes(addr), tables.Bytes(mac),
			tables.Bytes(port)})
		if ok && (!r.Addr.Is4() || r.Addr.IsMulticast() || r.MAC[0]&1 != 0 || r.Port == 0) {
			t.Fatalf("%+v", r)
		}
	})
}
