package differ

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// tapped is a message of bmv2's data plane service (PacketStreamRequest and PacketStreamResponse
// are alike): a frame, and the id of the frame that it results from.
type tapped struct {
	id, device uint64
	port       uint16
	packet     []byte
}

// Field numbers of the message.
const (
	tapID     = 1 // 2 is the device
	tapPort   = 3
	tapPacket = 4
)

// tapCodec is a gRPC codec for tapped.
type tapCodec struct{}

// Name implements encoding.Codec.
func (tapCodec) Name() string { return "proto" }

// Marshal implements encoding.Codec.
func (tapCodec) Marshal(v any) ([]byte, error) {
	m := v.(*tapped)
	var b []byte
	for i, value := range []uint64{m.id, m.device, uint64(m.port)} {
		b = protowire.AppendTag(b, tapID+protowire.Number(i), protowire.VarintType)
		b = protowire.AppendVarint(b, value)
	}
	b = protowire.AppendTag(b, tapPacket, protowire.BytesType)
	return protowire.AppendBytes(b, m.packet), nil
}

// Unmarshal implements encoding.Codec.
func (tapCodec) Unmarshal(b []byte, v any) error {
	m := v.(*tapped)
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeField(b)
		if n < 0 {
			return io.ErrUnexpectedEOF
		}
		_, _, tag := protowire.ConsumeTag(b)
		switch kind {
		case protowire.VarintType:
			value, _ := protowire.ConsumeVarint(b[tag:])
			m.set(number, value)
		case protowire.BytesType:
			packet, _ := protowire.ConsumeBytes(b[tag:])
			m.packet = append([]byte(nil), packet...)
		}
		b = b[n:]
	}
	return nil
}

func (m *tapped) set(number protowire.Number, value uint64) {
	switch number {
	case tapID:
		m.id = value
	case tapPort:
		m.port = uint16(value)
	}
}
