package generator

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// counter reads how many frames an interface has received, as the kernel counts them.
type counter struct {
	name string
	file *os.File // keeps to the namespace in which it was opened
	text []byte
}

func openCounter(name string) (*counter, error) {
	f, err := os.Open("/proc/thread-self/net/dev")
	if err != nil {
		return nil, err
	}
	return &counter{name: name, file: f, text: make([]byte, 1<<16)}, nil
}

// received returns the number of frames since the interface was made.
func (c *counter) received() (uint64, error) {
	n, err := c.file.ReadAt(c.text, 0)
	if n == 0 {
		return 0, fmt.Errorf("interface %s: counters: %w", c.name, err)
	}
	return parseReceived(c.text[:n], c.name)
}

var errNoInterface = errors.New("no such interface")

// parseReceived finds the line "NAME: bytes packets ...".
func parseReceived(text []byte, name string) (uint64, error) {
	for line := range bytes.Lines(text) {
		at, numbers, ok := bytes.Cut(line, []byte(":"))
		if !ok || string(bytes.TrimSpace(at)) != name {
			continue
		}
		if fields := bytes.Fields(numbers); len(fields) > 1 {
			return strconv.ParseUint(string(fields[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("interface %s: counters: %w", name, errNoInterface)
}

func (c *counter) close() error { return c.file.Close() }
