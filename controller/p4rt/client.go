package p4rt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
)

// ElectionID orders the controllers of a switch: the highest is primary. It must grow from one run
// of a controller to the next.
type ElectionID struct{ High, Low uint64 }

func (e ElectionID) proto() *p4v1.Uint128 { return &p4v1.Uint128{High: e.High, Low: e.Low} }

// Config describes one switch and what to do with what it reports.
type Config struct {
	Target     string // gRPC address of the P4Runtime server
	DeviceID   uint64
	ElectionID ElectionID // not zero
	Pipeline   Pipeline
	// DialOptions must at least choose the transport credentials.
	DialOptions []grpc.DialOption
	// BackoffMin and BackoffMax bound the time between two attempts to connect; zero values stand
	// for 50 ms and 2 s: a switch that restarts should be brought back before clients give up.
	BackoffMin, BackoffMax time.Duration
	// PacketIn and Digest are called one at a time, in the order of arrival, while the stream
	// waits: they must not block. A digest list is confirmed to the switch when Digest returns
	// true.
	PacketIn func(payload []byte, meta Metadata)
	Digest   func(DigestList) (confirm bool)
	Events   Events
}

// Events are told what happens to the session. Any may be nil. They must not block.
type Events struct {
	Disconnected   func(err error)            // the stream ended, or could not be opened
	Primary        func(primary bool)         // the outcome of an arbitration
	PipelinePushed func(cookie uint64)        // the switch did not run the program yet
	StreamError    func(message string)       // the switch refused a message
	Undecodable    func(what string, e error) // a message that does not fit the program
	// PortStatus tells of a port that has lost its link, or has it again, if the switch is one that
	// says so: the built-in one is, P4Runtime itself has no such message.
	PortStatus func(port uint32, up bool)
}

func (e Events) portStatus(port uint32, up bool) {
	if e.PortStatus != nil {
		e.PortStatus(port, up)
	}
}

func (e Events) disconnected(err error) {
	if e.Disconnected != nil {
		e.Disconnected(err)
	}
}

func (e Events) primary(is bool) {
	if e.Primary != nil {
		e.Primary(is)
	}
}

func (e Events) pipelinePushed(cookie uint64) {
	if e.PipelinePushed != nil {
		e.PipelinePushed(cookie)
	}
}

func (e Events) streamError(message string) {
	if e.StreamError != nil {
		e.StreamError(message)
	}
}

func (e Events) undecodable(what string, err error) {
	if e.Undecodable != nil {
		e.Undecodable(what, err)
	}
}

// Work is what a controller does with a switch while it is primary. When ctx is done it must
// return. When it returns first, the client disconnects; nil ends Run, an error makes it connect
// again.
type Work func(ctx context.Context, s *Session) error

// Client keeps one switch. It may be run once at a time.
type Client struct {
	cfg    Config
	info   *Info
	cookie uint64
}

// New returns a client; nothing is sent before Run.
func New(cfg Config) (*Client, error) {
	if cfg.ElectionID == (ElectionID{}) {
		return nil, fmt.Errorf("switch %s: election id 0: must be positive", cfg.Target)
	}
	info, err := NewInfo(cfg.Pipeline.P4Info)
	if err != nil {
		return nil, fmt.Errorf("switch %s: %w", cfg.Target, err)
	}
	cfg.BackoffMin = cmp.Or(cfg.BackoffMin, 50*time.Millisecond)
	cfg.BackoffMax = cmp.Or(cfg.BackoffMax, 2*time.Second)
	return &Client{cfg: cfg, info: info, cookie: cfg.Pipeline.Cookie()}, nil
}

// Info returns the names of the program.
func (c *Client) Info() *Info { return c.info }

// Limits of the connection. A read of a full partition table is one message of some 8 MB from
// servers that do not stream; the errors of a batch travel in the response metadata.
const (
	maxMessage    = 256 << 20
	maxHeaderList = 16 << 20
)

// Run connects, and calls work whenever this client is primary. It returns when ctx is done or work
// returns nil.
func (c *Client) Run(ctx context.Context, work Work) error {
	options := append([]grpc.DialOption{
		grpc.WithMaxHeaderListSize(maxHeaderList),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage),
			grpc.MaxCallSendMsgSize(maxMessage)),
	}, c.cfg.DialOptions...)
	conn, err := grpc.NewClient(c.cfg.Target, options...)
	if err != nil {
		return fmt.Errorf("switch %s: %w", c.cfg.Target, err)
	}
	defer conn.Close()
	rpc := p4v1.NewP4RuntimeClient(conn)
	wait := c.cfg.BackoffMin
	for {
		began := time.Now()
		err := c.runOnce(ctx, rpc, work)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		c.cfg.Events.disconnected(err)
		if time.Since(began) > c.cfg.BackoffMax { // it had worked for a while
			wait = c.cfg.BackoffMin
		}
		if !pause(ctx, wait/2+rand.N(wait/2+1)) {
			return ctx.Err()
		}
		wait = min(2*wait, c.cfg.BackoffMax)
		conn.ResetConnectBackoff() // the waiting is ours
	}
}

// pause waits, and reports whether it waited to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// runOnce lives as long as one stream.
func (c *Client) runOnce(ctx context.Context, rpc p4v1.P4RuntimeClient, work Work) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.open(ctx, rpc)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		primary, err := s.awaitPrimacy(ctx)
		if err != nil {
			return err
		}
		err = c.term(primary, rpc, s, work)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.ended() != nil:
			return s.ended()
		case primary.Err() == nil && !errors.Is(err, ErrNotPrimary):
			return err
		}
		// Primacy was lost: stay connected and wait for it, whatever the work said.
	}
}

// term works for as long as this client is primary.
func (c *Client) term(ctx context.Context, rpc p4v1.P4RuntimeClient, s *stream, work Work) error {
	if err := c.ensurePipeline(ctx, rpc); err != nil {
		return err
	}
	return work(ctx, &Session{client: c, rpc: rpc, stream: s})
}
