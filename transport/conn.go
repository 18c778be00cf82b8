package transport

import "net/netip"

// BatchSize is the number of messages or frames that readers of this module ask for at once: large
// enough to spread the cost of a wake-up, small enough to stay in the first-level cache.
const BatchSize = 64

// bufferSize holds any Ethernet frame of 1500 bytes of payload with room to spare, in bytes.
const bufferSize = 2048

// Message is one datagram with its peer: the sender of one read, the receiver of one written.
type Message struct {
	Addr    netip.AddrPort
	Payload []byte
}

// Conn moves datagrams. One goroutine may read while any number write.
type Conn interface {
	// ReadBatch blocks until a datagram has arrived and fills msgs with those at hand. The
	// payloads are valid until the next call. After Close it returns net.ErrClosed.
	ReadBatch(msgs []Message) (n int, err error)
	// WriteBatch sends datagrams in order and keeps no reference to them. What the network has
	// no room for is lost and counted.
	WriteBatch(msgs []Message) error
	// LocalAddr is the address that peers see.
	LocalAddr() netip.AddrPort
	// Close unblocks ReadBatch.
	Close() error
}

// Link moves Ethernet frames. It is structural, so that the ports of a switch that knows nothing
// of this package satisfy it.
type Link interface {
	// ReadBatch blocks until a frame has arrived, copies those at hand into bufs, whose capacity
	// is at least 2,048 bytes each, and sets their lengths. After Close it returns net.ErrClosed.
	ReadBatch(bufs [][]byte) (n int, err error)
	// WriteBatch copies frames to the peer and returns how many found room.
	WriteBatch(frames [][]byte) (n int, err error)
	// Close unblocks ReadBatch.
	Close() error
}

// buffers returns n empty slices of bufferSize capacity in one allocation.
func buffers(n int) [][]byte {
	slab := make([]byte, n*bufferSize)
	out := make([][]byte, n)
	for i := range out {
		out[i] = slab[i*bufferSize : i*bufferSize : (i+1)*bufferSize]
	}
	return out
}
