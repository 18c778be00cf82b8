package hops

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Search says which packets of the store are wanted: those that meet all that is set.
type Search struct {
	Op       wire.Op        // zero: any
	Client   kv.ClientID    // zero: any
	Keyspace *kv.KeyspaceID // nil: any
	IndexKey *kv.IndexKey   // nil: any
}

// Query returns the parameters of a trace that finds them. It looks for bytes at their places in the
// frame, because switches parse only requests: so answers are found too.
func (s Search) Query() url.Values {
	q := url.Values{}
	add := func(field string, value []byte) {
		q.Add("bytes", fmt.Sprintf("%d:%x", wire.FrameOverhead+offset(field), value))
	}
	add("magic", binary.BigEndian.AppendUint16(nil, wire.Magic))
	if s.Op != 0 {
		add("op", []byte{byte(s.Op)})
	}
	if s.Client != 0 {
		add("client_id", binary.BigEndian.AppendUint64(nil, uint64(s.Client)))
	}
	if s.Keyspace != nil {
		add("keyspace", binary.BigEndian.AppendUint16(nil, uint16(*s.Keyspace)))
	}
	if s.IndexKey != nil {
		add("index_key", s.IndexKey[:])
	}
	return q
}

// offset returns where a field lies in the header of a packet.
func offset(name string) int {
	fixed, route := wire.Layout()
	for _, f := range append(fixed, route...) {
		if f.Name == name {
			return f.BitOffset / 8
		}
	}
	panic("hops: the packet has no field " + name)
}

// ParseOp returns the operation of a name in docs/PROTOCOL.md, in any case.
func ParseOp(name string) (wire.Op, error) {
	var valid []string
	for i := range 256 {
		op := wire.Op(i)
		if text := op.String(); !strings.HasPrefix(text, "op(") {
			if strings.EqualFold(text, name) {
				return op, nil
			}
			valid = append(valid, text)
		}
	}
	return 0, fmt.Errorf("operation %q: there are %s", name, strings.Join(valid, ", "))
}
