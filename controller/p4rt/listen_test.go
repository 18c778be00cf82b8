package p4rt

import (
	"net"
	"testing"
)

// listenAgain takes an address that was in use a moment ago.
func listenAgain(t *testing.T, address string) net.Listener {
	t.Helper()
	for {
		l, err := net.Listen("tcp", address)
		if err == nil {
			return l
		}
		if testContext(t).Err() != nil {
			t.Fatal(err)
		}
	}
}
