package p4src_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"

	"github.com/turbokv/turbokv/p4src"
)

// TestRandomFramesOnBothSwitches sends frames of all sorts, many of them odd, to the built-in switch
// and to simple_switch, both with the tables of testdata/fabric.stf: whatever leaves, is learned or is
// dropped for a reason must be the same.
func TestRandomFramesOnBothSwitches(t *testing.T) {
	if _, err := exec.LookPath(simpleSwitch); err != nil {
		t.Skipf("%s is not on PATH", simpleSwitch)
	}
	ours, theirs := newBuiltIn(t), startSimpleSwitch(t)
	for _, d := range []device{ours, theirs} {
		r := run{device: d, expected: map[uint16][][]byte{}}
		for _, s := range readScript(t, "testdata/fabric.stf") {
			if err := r.execute(s); err != nil {
				t.Fatalf("%s: %v", s.where, err)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 400 {
		port, frame := randomFrame(t, random)
		if err := sameOutcome(ours, theirs, port, frame); err != nil {
			t.Fatalf("frame %d, from port %d: %v\n%s", i, port, err, describe(frame))
		}
	}
	sameDrops(t, ours, theirs)
}

// randomFrame starts from a good frame and changes some of its fields, or bytes, or its length.
func randomFrame(t *testing.T, random *rand.Rand) (port uint16, frame []byte) {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	ports := rackPorts[:len(rackPorts)-1]
	port = ports[random.IntN(len(ports))]
	key := fmt.Sprintf("%#x", keyOf(random.IntN(16), byte(random.IntN(256))))
	text := pick(
		"tkv(op=GET keyspace=20 index_key="+key, "tkv(op=PUT keyspace=20 value=x index_key="+key,
		"tkv(op=GET keyspace=21 index_key="+key, "tkv(op=PUT keyspace=21 value=x index_key="+key,
		"tkv(op=SCAN keyspace=20 scan_budget=2 end_index_key=0xffffffffffffffffffffffffffffffff index_key="+key,
		"tkv(op=SCAN keyspace=1 scan_budget=1 end_index_key=0xe0000000000000000000000000000000 index_key="+key,
		"tkv(op=GET keyspace=1 index_key="+key, "udp(ip.dst=10.0.21.7", "udp(ip.dst=10.0.0.13", "arp(")
	isARP := text == "arp("
	changes := []string{"ip.ttl=1", "ip.ttl=2", "ip.protocol=6", "ip.src=10.0.1.2", "ip.src=10.0.31.5",
		"ip.src=10.0.1.77", "eth.type=0x88cc", "ip.version_ihl=0x46", "ip.checksum=0x1234", "udp.src=1025",
		"udp.dst=53", "ip.dst=10.0.1.2"}
	if isARP {
		changes = []string{"arp.operation=2", "arp.sender_ip=0.0.0.0", "arp.sender_ip=10.0.1.78",
			"arp.target_ip=10.0.1.1", "arp.kind=0x000108000606", "eth.type=0x88cc"}
	}
	for range random.IntN(3) {
		text += " " + pick(changes...)
	}
	frame, err := (&notation{}).parse(text+")", true)
	if err != nil {
		t.Fatal(err)
	}
	switch random.IntN(8) {
	case 0:
		frame = frame[:14+random.IntN(len(frame)-14)]
	case 1:
		frame[random.IntN(len(frame))] ^= 1 << random.IntN(8)
	}
	return port, frame
}

func sameOutcome(ours *builtInDevice, theirs *simpleSwitchDevice, port uint16, frame []byte) error {
	_ = ours.send(port, frame)
	want, _ := ours.receive(0)
	if err := theirs.send(port, frame); err != nil {
		return err
	}
	got, err := theirs.receive(len(want))
	if err != nil {
		return err
	}
	byPort := func(a, b frameOut) int { return int(a.port) - int(b.port) } // the order that counts
	slices.SortStableFunc(want, byPort)
	slices.SortStableFunc(got, byPort)
	if !slices.EqualFunc(want, got, func(a, b frameOut) bool {
		return a.port == b.port && bytes.Equal(a.bytes, b.bytes)
	}) {
		return fmt.Errorf("the built-in switch sends\n%s%s sends\n%s", list(want), simpleSwitch, list(got))
	}
	for len(ours.learned) > 0 {
		a, _ := ours.digest()
		b, err := theirs.digest()
		if err != nil {
			return err
		}
		for i := range a {
			if !bytes.Equal(bytes.TrimLeft(a[i], "\x00"), bytes.TrimLeft(b[i], "\x00")) {
				return fmt.Errorf("digest %x, %s has %x", a, simpleSwitch, b)
			}
		}
	}
	return nil
}

func list(frames []frameOut) (text string) {
	for _, f := range frames {
		text += fmt.Sprintf("port %d\n%s", f.port, describe(f.bytes))
	}
	return text
}

func sameDrops(t *testing.T, ours, theirs device) {
	t.Helper()
	kinds := 0
	for _, r := range p4src.DropReasons() {
		want, err1 := ours.packets(p4src.DropCounter, int(r))
		got, err2 := theirs.packets(p4src.DropCounter, int(r))
		if want != got || err1 != nil || err2 != nil {
			t.Errorf("dropped for %v: %d, %s has %d (%v, %v)", r, want, simpleSwitch, got, err1, err2)
		}
		if want > 0 {
			kinds++
		}
	}
	if kinds < 6 {
		t.Errorf("frames were dropped for %d reasons: they are too well-behaved", kinds)
	}
}
