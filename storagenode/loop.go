package storagenode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/turbokv/turbokv/serverlib"
	"github.com/turbokv/turbokv/transport"
)

// Intervals of the ticker, as serverlib.Server.Tick asks for them.
const (
	tickBusy = time.Millisecond
	tickIdle = 100 * time.Millisecond
)

// now is the server's clock: monotonic time since the start of the node.
func (n *Node) now() time.Duration { return time.Since(n.started) }

// receive gives every batch of datagrams to the server as one step, until ctx is done.
func (n *Node) receive(ctx context.Context) {
	// Closing is the only way to end a read; its error has nobody to matter to.
	unblock := context.AfterFunc(ctx, func() { _ = n.cfg.Conn.Close() })
	defer unblock()
	msgs := make([]transport.Message, transport.BatchSize)
	for {
		count, err := n.cfg.Conn.ReadBatch(msgs)
		if err != nil {
			if ctx.Err() == nil {
				n.fail(fmt.Errorf("receive: %w", err))
			}
			return
		}
		n.deliver(msgs[:count])
	}
}

func (n *Node) deliver(msgs []transport.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for i := range msgs {
		n.server.Deliver(now, msgs[i].Addr, msgs[i].Payload)
	}
	n.stats.batches.Add(1)
	n.flush(now)
}

// flush does what the server wants done after a step. The caller holds mu; the server's buffers are
// valid until its next step, so they must leave before the lock does.
func (n *Node) flush(now time.Duration) {
	out := n.server.Flush(now)
	if len(out.Sends) > 0 {
		n.send(out.Sends)
	}
	if out.NeedSync {
		// There is room: the server asks again only after Synced.
		n.syncs <- out.SyncToken
	}
	if !n.fast && n.server.Busy() {
		n.fast = true
		select {
		case n.wake <- struct{}{}:
		default: // the ticker is about to wake up anyway
		}
	}
}

func (n *Node) send(sends []serverlib.Send) {
	n.out = n.out[:0]
	for _, s := range sends {
		n.out = append(n.out, transport.Message{Addr: s.To, Payload: s.Payload})
	}
	n.stats.sent.Add(uint64(len(sends)))
	if err := n.cfg.Conn.WriteBatch(n.out); err != nil && !errors.Is(err, net.ErrClosed) {
		// The network may lose anything, and the protocol repeats it.
		n.stats.sendErrors.Add(1)
	}
}

// tick lets time pass for the server until ctx is done.
func (n *Node) tick(ctx context.Context) {
	timer := time.NewTimer(tickIdle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-timer.C:
		}
		timer.Reset(n.tickOnce())
	}
}

// tickOnce returns when to tick again.
func (n *Node) tickOnce() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.server.Tick(now)
	n.fast = true // flush shall not wake up the ticker, which is awake
	n.flush(now)
	if n.fast = n.server.Busy(); n.fast {
		return tickBusy
	}
	return tickIdle
}

// sync runs the fsyncs that the server asks for, until ctx is done.
func (n *Node) sync(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case token := <-n.syncs:
			n.syncOnce(token)
		}
	}
}

func (n *Node) syncOnce(token uint64) {
	start := n.now()
	err := n.durable.Sync()
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.stats.synced(now - start)
	n.server.Synced(now, token, err)
	n.flush(now)
}
