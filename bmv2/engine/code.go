package engine

// code is a step of a body in the form in which packets run it: small, because bodies share the
// nearest cache with packets and entries.
type code struct {
	kind     codeKind
	dst, src int32 // bytes in the arena, see instr
	n        int32
	word     uint64 // a constant, or the mask of a parameter
	image    string // codeFill
	call     op
}

// codeKind is an instrKind, or a special form of one.
type codeKind uint8

const (
	codeCall codeKind = iota
	codeFill
	codeFill1 // word to 1, 2, 4 or 8 bytes
	codeFill2
	codeFill4
	codeFill8
	codeImage
	codeImage1
	codeImage4
	codeCopy
	codeCopy4
	codeCopy6
	codeCopy16
	codeExtract
	codeParam1
	codeParam2
	codeParam4
	codeParam8
	codeParam16
)

// plainCodes are the kinds that have one form.
var plainCodes = [...]codeKind{
	instrCall: codeCall, instrFill: codeFill, instrImage: codeImage, instrCopy: codeCopy,
	instrCopy4: codeCopy4, instrCopy6: codeCopy6, instrCopy16: codeCopy16, instrExtract: codeExtract,
	instrParam1: codeParam1, instrParam2: codeParam2, instrParam4: codeParam4, instrParam8: codeParam8,
	instrParam16: codeParam16,
}

// lower brings a body into the form in which it runs.
func lower(body []instr) []code {
	out := make([]code, len(body))
	for i := range body {
		s := &body[i]
		out[i] = code{kind: plainCodes[s.kind], dst: int32(s.dst), src: int32(s.src), n: int32(s.n),
			word: s.mask, image: string(s.image), call: s.call}
		out[i].specialize()
	}
	return out
}

// specialize picks the form for the size: a call of the copying routine would cost more than the
// store.
func (c *code) specialize() {
	switch {
	case c.kind == codeFill && c.n <= 8:
		kinds := map[int32]codeKind{1: codeFill1, 2: codeFill2, 4: codeFill4, 8: codeFill8}
		if kind, ok := kinds[c.n]; ok {
			c.kind, c.word = kind, wordOf([]byte(c.image))
		}
	case c.kind == codeImage && c.n == 1:
		c.kind = codeImage1
	case c.kind == codeImage && c.n == 4:
		c.kind = codeImage4
	}
}

// execute runs a body. It stops early only when a parser fails.
func execute(body []code, st *State) {
	a := st.arena
	for i := range body {
		switch s := &body[i]; s.kind {
		case codeCall:
			if s.call(st); st.fail != 0 {
				return
			}
		case codeFill:
			copy(a[s.dst:], s.image)
		case codeFill1:
			a[s.dst] = byte(s.word)
		case codeFill2:
			be.PutUint16(a[s.dst:], uint16(s.word))
		case codeFill4:
			be.PutUint32(a[s.dst:], uint32(s.word))
		case codeFill8:
			be.PutUint64(a[s.dst:], s.word)
		case codeImage:
			copy(a[s.dst:s.dst+s.n], st.image[s.src:s.src+s.n])
		case codeImage1:
			a[s.dst] = st.image[s.src]
		case codeImage4:
			be.PutUint32(a[s.dst:], word4(st.image[s.src:]))
		case codeCopy:
			copy(a[s.dst:s.dst+s.n], a[s.src:s.src+s.n])
		case codeCopy4:
			be.PutUint32(a[s.dst:], be.Uint32(a[s.src:]))
		case codeCopy6:
			hi, lo := be.Uint32(a[s.src:]), be.Uint16(a[s.src+4:])
			be.PutUint32(a[s.dst:], hi)
			be.PutUint16(a[s.dst+4:], lo)
		case codeCopy16:
			hi, lo := be.Uint64(a[s.src:]), be.Uint64(a[s.src+8:])
			be.PutUint64(a[s.dst:], hi)
			be.PutUint64(a[s.dst+8:], lo)
		case codeExtract:
			if !st.extract(s) {
				return
			}
		case codeParam1:
			a[s.dst] = byte(st.args[s.src] & s.word)
		case codeParam2:
			be.PutUint16(a[s.dst:], uint16(st.args[s.src]&s.word))
		case codeParam4:
			be.PutUint32(a[s.dst:], uint32(st.args[s.src]&s.word))
		case codeParam8:
			be.PutUint64(a[s.dst:], st.args[s.src]&s.word)
		case codeParam16:
			be.PutUint64(a[s.dst:], st.args[s.src+1])
			be.PutUint64(a[s.dst+8:], st.args[s.src])
		}
	}
}

// word4 reads 4 big-endian bytes.
func word4(b string) uint32 {
	_ = b[3]
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// extract moves a header from the packet to the arena.
func (st *State) extract(s *code) bool {
	end := st.pos + int(s.n)
	if end > len(st.packet) {
		st.fail = packetTooShort
		return false
	}
	copy(st.arena[s.dst:s.dst+s.n], st.packet[st.pos:end])
	st.arena[s.src] = 1
	st.pos = end
	return true
}
