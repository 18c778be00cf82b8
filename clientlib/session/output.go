package session

import "github.com/turbokv/turbokv/wire"

// Output collects the effects of method calls of a Session: packets for the service address, and
// requests that have ended. The driver empties it with Reset, or in parts, and reuses it.
type Output struct {
	Packets     []wire.Packet // copies, valid until Reset
	Completions []Completion

	arena []byte
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	clear(o.Completions) // do not hold on to the tags
	o.Packets, o.Completions, o.arena = o.Packets[:0], o.Completions[:0], o.arena[:0]
}

// send adds a copy of p. When the arena moves, packets added before stay where they were.
func (o *Output) send(p wire.Packet) {
	start := len(o.arena)
	o.arena = append(o.arena, p...)
	o.Packets = append(o.Packets, wire.Packet(o.arena[start:len(o.arena):len(o.arena)]))
}
