package engine

// Registers is the number of words that an architecture can keep per packet.
const Registers = 8

// State is what one packet carries through parsers and controls. It belongs to one goroutine and
// is reused for the next packet after [State.Reset].
type State struct {
	arena   []byte
	scratch []uint64 // temporaries of wide expressions
	keyBuf  []byte   // the key of the table being applied
	args    []uint64 // parameters of the action being run
	image   string   // what the entry of that action stores
	sum     []byte   // input of the checksum or hash being computed
	exited  bool
	fail    parserError
	set     int // see Machine.chosenBy

	packet []byte // what the parser reads
	pos    int    // bytes parsed

	// Tables is the snapshot that the packet uses, indexed as Machine.Tables.
	Tables []*Table
	// Sets are the parser value sets that the packet uses, as in bmv2.Program.ValueSets.
	Sets []*ValueSet
	// Length is the packet's length in bytes as add_header and remove_header change it.
	Length int
	// PayloadEnd is where calculations stop to see the payload: this many bytes after the parsed
	// ones, plus one. 0: they see all of it.
	PayloadEnd int
	// ParserError is the program's number of the error that stopped the parser.
	ParserError uint32
	// ParserFailed tells whether an error stopped the parser.
	ParserFailed bool
	// ChecksumError tells whether a checksum did not verify.
	ChecksumError bool
	// Overrun tells that an action looped for too long and was stopped.
	Overrun bool
	// Regs belongs to the architecture.
	Regs [Registers]uint64
	// Watcher lets primitives of the architecture tell who follows the packet; Reset removes it.
	Watcher any
}

// NewState returns a state for packets of this program.
func (m *Machine) NewState() *State {
	return &State{
		arena:   make([]byte, m.layout.size),
		scratch: make([]uint64, m.scratchWords),
		keyBuf:  make([]byte, m.keyBytes),
		sum:     make([]byte, 0, 256),
	}
}

// Reset prepares the state for a packet: no header is valid, everything is zero.
func (st *State) Reset(packet []byte) {
	clear(st.arena)
	st.restart(packet)
}

// ResetLittered is like Reset, but leaves it to litter what the fields of headers hold: it gets them
// as the packet before left them. As no header is valid, only programs that read what P4 leaves
// undefined notice.
func (m *Machine) ResetLittered(st *State, packet []byte, litter func(fields []byte)) {
	clear(st.arena[:m.layout.metaEnd])
	litter(st.arena[m.layout.metaEnd : m.layout.size-slack])
	st.restart(packet)
}

// Litter does the same to the headers that are not valid, in the middle of a packet.
func (m *Machine) Litter(st *State, litter func(fields []byte)) {
	for _, h := range m.layout.headers {
		if !h.meta && st.arena[h.valid] == 0 {
			litter(st.arena[h.base : h.base+h.size])
		}
	}
}

func (st *State) restart(packet []byte) {
	st.packet, st.pos, st.Length, st.PayloadEnd = packet, 0, len(packet), 0
	st.exited, st.Overrun, st.fail = false, false, 0
	st.ParserError, st.ParserFailed, st.ChecksumError = 0, false, false
	clear(st.Regs[:])
	st.Watcher = nil
}

// ResetMetadata zeroes all metadata.
func (m *Machine) ResetMetadata(st *State) {
	clear(st.arena[m.layout.metaStart:m.layout.metaEnd])
}

// CopyFrom makes st an independent copy of o. The packet bytes are shared.
func (st *State) CopyFrom(o *State) {
	copy(st.arena, o.arena)
	st.packet, st.pos, st.Length, st.PayloadEnd = o.packet, o.pos, o.Length, o.PayloadEnd
	st.exited, st.Overrun, st.fail = o.exited, o.Overrun, o.fail
	st.ParserError, st.ParserFailed = o.ParserError, o.ParserFailed
	st.ChecksumError = o.ChecksumError
	st.Regs, st.Tables, st.Sets, st.Watcher = o.Regs, o.Tables, o.Sets, o.Watcher
}

// SetPacket points the state at other bytes with the same content, so that a copy can outlive
// the buffer it was parsed from.
func (st *State) SetPacket(packet []byte) { st.packet = packet }

// Packet returns the bytes that the parser reads.
func (st *State) Packet() []byte { return st.packet }

// Payload returns what follows the parsed bytes.
func (st *State) Payload() []byte { return st.packet[st.pos:] }
