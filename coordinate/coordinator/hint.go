package coordinator

import (
	"sync/atomic"
	"time"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
	"github.com/turbokv/turbokv/wire"
)

// hintLasts is how long a client repeats what it was refused with. By then every map is newer.
const hintLasts = refreshEvery

// hint is what a client that does not resolve itself was last refused with.
type hint struct {
	last atomic.Pointer[refused]
}

type refused struct {
	id    kv.SubRangeID
	epoch kv.Epoch
	at    time.Time
}

// listen takes in the refusals among received packets.
func (h *hint) listen(msgs []transport.Message) {
	for _, m := range msgs {
		if p, ok := refusal(m.Payload); ok {
			h.last.Store(&refused{p.SubRange(), p.Epoch(), time.Now()})
		}
	}
}

// fresh returns what is to be repeated now; nil if there is nothing.
func (h *hint) fresh() *refused {
	r := h.last.Load()
	if r == nil {
		return nil
	}
	if time.Since(r.at) > hintLasts {
		h.last.CompareAndSwap(r, nil)
		return nil
	}
	return r
}

// mark returns the request with the hint in it, a copy in out; the request itself without a hint.
func (r *refused) mark(request []byte, out *coordinate.Output) []byte {
	if r == nil || len(request) < wire.HeaderSize {
		return request
	}
	p := wire.Packet(out.Copy(request))
	p.SetSubRange(r.id, r.epoch)
	return p
}
