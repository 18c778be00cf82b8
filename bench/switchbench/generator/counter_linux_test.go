package generator

import (
	"errors"
	"testing"
)

const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo: 11 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0
   in0:1000 42 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`

func TestCounterReadsItsLine(t *testing.T) {
	if n, err := parseReceived([]byte(dev), "in0"); n != 42 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	if _, err := parseReceived([]byte(dev), "in"); !errors.Is(err, errNoInterface) {
		t.Errorf("an interface that is not there: %v", err)
	}
}
