package p4src_test

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// frameCodec codes the PacketStreamRequest and PacketStreamResponse of bmv2's data plane service,
// which are alike: id 1, device 2, port 3, packet 4.
type frameCodec struct{}

func (frameCodec) Name() string { return "proto" }

func (frameCodec) Marshal(v any) ([]byte, error) {
	f := v.(*frameOut)
	b := protowire.AppendTag(nil, 3, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(f.port))
	b = protowire.AppendTag(b, 4, protowire.BytesType)
	return protowire.AppendBytes(b, f.bytes), nil
}

func (frameCodec) Unmarshal(b []byte, v any) error {
	f := v.(*frameOut)
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
		switch n = protowire.ConsumeFieldValue(number, kind, b); {
		case n < 0:
			return io.ErrUnexpectedEOF
		case number == 3:
			port, _ := protowire.ConsumeVarint(b)
			f.port = uint16(port)
		case number == 4:
			packet, _ := protowire.ConsumeBytes(b)
			f.bytes = append([]byte(nil), packet...)
		}
		b = b[n:]
	}
	return nil
}
