package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// maxConnections bounds the connections of controllers; each has buffers.
const maxConnections = 512

// unixPrefix stands before the path of a socket, as gRPC has it.
const unixPrefix = "unix:"

// Listen opens an address for P4Runtime: HOST:PORT, or unix:PATH for a socket file. A socket file
// that nobody listens at is replaced.
func Listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, unixPrefix)
	if !isUnix {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("p4runtime: %w", err)
		}
		return l, nil
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("p4runtime: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("p4runtime: %w", err)
	}
	return l, nil
}

// removeStale removes the socket file of a process that did not get round to it.
func removeStale(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		return os.Remove(path)
	}
	_ = c.Close() // it was only to see whether somebody is there; the caller says who
	return nil
}

// limitedListener closes connections beyond maxConnections as soon as they come: their clients learn of
// it, which they would not if nobody answered.
type limitedListener struct {
	net.Listener
	open atomic.Int64
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= maxConnections {
			return &limitedConn{Conn: c, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		_ = c.Close()
	}
}

// limitedConn is a connection that counts.
type limitedConn struct {
	net.Conn
	closed func()
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
