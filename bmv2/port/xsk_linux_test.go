package port

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestQueuesHaveOneSocket meets a queue that is taken, and one that was just given back.
func TestQueuesHaveOneSocket(t *testing.T) {
	inNamespace(t)
	iface, err := net.InterfaceByName("switch0")
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*xdpQueue, error) { return openXDPQueue(iface.Index, 0, iface.MTU) }
	first, err := open()
	if err != nil {
		t.Skip(err)
	}
	if _, err := open(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a second socket: error %v", err)
	}
	for range 20 {
		if err := first.close(); err != nil {
			t.Fatal(err)
		}
		if first, err = open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
}

func TestInterfacesHaveOneProgram(t *testing.T) {
	inNamespace(t)
	k := kinds[2]
	k.port(t, "switch0")
	if _, err := OpenXDP("switch0"); !errors.Is(err, ErrNoXDP) || !errors.Is(err, unix.EBUSY) {
		t.Errorf("a second program: error %v", err)
	}
}
