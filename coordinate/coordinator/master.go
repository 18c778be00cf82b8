package coordinator

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/turbokv/turbokv/coordinate"
	"github.com/turbokv/turbokv/transport"
)

// announceEvery is how often a master sends a packet, so that the switch learns where it is.
const announceEvery = time.Second

// nowhere is an address that no network has (TEST-NET-1, RFC 5737), and the port that discards (RFC 863).
var nowhere = netip.MustParseAddrPort("192.0.2.1:9")

// announce sends empty datagrams, which the switch learns from and drops, until ctx is done.
func announce(ctx context.Context, conn transport.Conn) {
	ticker := time.NewTicker(announceEvery)
	defer ticker.Stop()
	for {
		_ = conn.WriteBatch([]transport.Message{{Addr: nowhere}}) // the next may arrive
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Master answers the queries of clients of NewAsker until ctx is done, and closes conn then. The
// error is nil unless the socket failed. The cache is not closed with it.
func Master(ctx context.Context, conn transport.Conn, cache *Cache) error {
	if err := checkLocal(conn); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var announcer sync.WaitGroup
	announcer.Go(func() { announce(ctx, conn) })
	defer announcer.Wait()
	defer cancel()
	return answerQueries(ctx, conn, cache)
}

func answerQueries(ctx context.Context, conn transport.Conn, cache *Cache) error {
	// Closing is the only way to end a read; its error has nobody to matter to.
	unblock := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer unblock()
	msgs := make([]transport.Message, transport.BatchSize)
	var out coordinate.Output
	var batch []transport.Message
	for {
		n, err := conn.ReadBatch(msgs)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		out.Reset()
		for _, m := range msgs[:n] {
			if q, ok := coordinate.ParseQuery(m.Payload); ok {
				cache.For(q.Header).Reply(q, m.Addr, &out)
			}
		}
		batch = messages(batch[:0], &out)
		_ = conn.WriteBatch(batch) // what is lost, clients ask again
	}
}
