package p4rt

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Names of the controller headers, fixed by the specification, section "Packet I/O".
const (
	packetInName  = "packet_in"
	packetOutName = "packet_out"
)

// packetHeader is a header that travels as metadata between server and controller and as bits in
// front of the frame between server and switch.
type packetHeader struct {
	fields []headerField
	bytes  int
}

type headerField struct {
	id     uint32
	name   string
	offset int // bits from the start of the header
	width  int // bits
}

func (p *pipeline) bindPackets(info *p4config.P4Info) error {
	for _, m := range info.GetControllerPacketMetadata() {
		h, err := newPacketHeader(m)
		if err != nil {
			return err
		}
		switch m.GetPreamble().GetName() {
		case packetInName:
			p.packetIn = h
		case packetOutName:
			p.packetOut = h
		}
	}
	return nil
}

// maxHeaderBits bounds a controller header; real ones have some ten bytes.
const maxHeaderBits = 8192

func newPacketHeader(m *p4config.ControllerPacketMetadata) (*packetHeader, error) {
	h := &packetHeader{}
	offset := 0
	for _, f := range m.GetMetadata() {
		width := int(f.GetBitwidth())
		if width < 1 || offset+width > maxHeaderBits {
			return nil, invalid("controller header %q, field %q: width of %d bits",
				m.GetPreamble().GetName(), f.GetName(), width)
		}
		h.fields = append(h.fields, headerField{f.GetId(), f.GetName(), offset, width})
		offset += width
	}
	h.bytes = (offset + 7) / 8
	return h, nil
}

// encode puts the header in front of the payload. Fields that the controller left out, such as
// padding, are zero, as in PI; the specification would have it send all of them.
func (h *packetHeader) encode(m *p4v1.PacketOut) ([]byte, error) {
	if h == nil {
		if len(m.GetMetadata()) > 0 {
			return nil, invalid("the program has no packet_out header, but the packet has metadata")
		}
		return m.GetPayload(), nil
	}
	frame := make([]byte, h.bytes, h.bytes+len(m.GetPayload()))
	for i := range h.fields {
		f := &h.fields[i]
		sent := findMetadata(m.GetMetadata(), f.id)
		if sent == nil {
			continue
		}
		value, err := fit(sent.GetValue(), f.width)
		if err != nil {
			return nil, wrap(err, "packet_out field %q", f.name)
		}
		putBits(frame, f.offset, f.width, value)
	}
	if err := h.checkIDs(m.GetMetadata()); err != nil {
		return nil, err
	}
	return append(frame, m.GetPayload()...), nil
}

func findMetadata(sent []*p4v1.PacketMetadata, id uint32) *p4v1.PacketMetadata {
	for _, m := range sent {
		if m.GetMetadataId() == id {
			return m
		}
	}
	return nil
}

// checkIDs refuses fields that are unknown or appear twice.
func (h *packetHeader) checkIDs(sent []*p4v1.PacketMetadata) error {
	if len(sent) > len(h.fields) {
		return invalid("packet_out has %d fields, the packet %d", len(h.fields), len(sent))
	}
	for i, m := range sent {
		if h.field(m.GetMetadataId()) == nil || findMetadata(sent[:i], m.GetMetadataId()) != nil {
			return invalid("packet_out has no field with the id %d, or it appears twice",
				m.GetMetadataId())
		}
	}
	return nil
}

func (h *packetHeader) field(id uint32) *headerField {
	for i := range h.fields {
		if h.fields[i].id == id {
			return &h.fields[i]
		}
	}
	return nil
}

// decode takes the header off a frame; it reports false for a frame that is shorter than the
// header. The message does not share memory with the frame.
func (h *packetHeader) decode(frame []byte) (*p4v1.PacketIn, bool) {
	m := &p4v1.PacketIn{}
	if h != nil {
		if len(frame) < h.bytes {
			return nil, false
		}
		m.Metadata = make([]*p4v1.PacketMetadata, len(h.fields))
		for i, f := range h.fields {
			value := make([]byte, (f.width+7)/8)
			getBits(frame, f.offset, f.width, value)
			m.Metadata[i] = &p4v1.PacketMetadata{MetadataId: f.id, Value: canonical(value)}
		}
		frame = frame[h.bytes:]
	}
	m.Payload = append([]byte(nil), frame...)
	return m, true
}

// putBits stores the lowest width bits of a number at a bit offset; the target bits must be zero.
func putBits(data []byte, offset, width int, value []byte) {
	shift := 8*len(value) - width
	for i := range width {
		if bitAt(value, shift+i) {
			data[(offset+i)/8] |= 0x80 >> ((offset + i) % 8)
		}
	}
}

// getBits loads width bits from a bit offset into a number of whole bytes, which must be zero.
func getBits(data []byte, offset, width int, value []byte) {
	shift := 8*len(value) - width
	for i := range width {
		if bitAt(data, offset+i) {
			value[(shift+i)/8] |= 0x80 >> ((shift + i) % 8)
		}
	}
}

// bitAt returns bit i, counted from the highest bit of the first byte.
func bitAt(data []byte, i int) bool {
	return data[i/8]&(0x80>>(i%8)) != 0
}
