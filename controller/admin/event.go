package admin

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
)

// The severities of events.
const (
	SeverityInfo    = "info"
	SeverityWarning = "warning" // the cluster helps itself
	SeverityAlarm   = "alarm"   // somebody must look
)

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	ID       uint64 // grows by one from event to event, since the controller began
	Time     time.Time
	Kind     string // such as "node failed"; see controller.EventKind
	Severity string // one of the severities above
	Node     kv.NodeID
	Switch   string
	Keyspace string
	SubRange kv.SubRangeID
	Plan     uint64
	Text     string // all of it on one line
}

// EventsOpts are the optional fields of Events. A nil *EventsOpts sets none.
type EventsOpts struct {
	// After leaves out events up to this id.
	After optional.Uint64
	// Follow goes on with what happens next, until ctx ends or the controller does.
	Follow optional.Bool
}

// Events gives what has happened, oldest first, as far as the controller remembers it. The last
// pair holds the error that ended it, if one did; the end of a ctx that follows is one.
func (c *Client) Events(ctx context.Context, opts *EventsOpts) iter.Seq2[Event, error] {
	m := &adminpb.EventsRequest{}
	if opts != nil {
		m.AfterId, m.Follow = opts.After.Value(), opts.Follow.Value()
	}
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.openEvents(ctx, m)
		if err != nil {
			yield(Event{}, reason(err))
			return
		}
		for {
			next, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Event{}, reason(err))
				return
			}
			if !yield(eventOf(next), nil) {
				return
			}
		}
	}
}

// openEvents finds out which controller leads before it opens the stream: one that stands by refuses a
// stream only after it is open.
func (c *Client) openEvents(ctx context.Context, m *adminpb.EventsRequest,
) (adminpb.Admin_EventsClient, error) {
	if len(c.conn.conns) > 1 {
		if _, err := c.rpc.ListKeyspaces(ctx, &adminpb.ListKeyspacesRequest{}); err != nil {
			return nil, err
		}
	}
	return c.rpc.Events(ctx, m)
}

func eventOf(m *adminpb.Event) Event {
	return Event{
		ID: m.GetId(), Time: moment(m.GetTimeUnixMs()), Kind: m.GetKind(), Severity: m.GetSeverity(),
		Node: kv.NodeID(m.GetNode()), Switch: m.GetSwitchName(), Keyspace: m.GetKeyspace(),
		SubRange: kv.SubRangeID(m.GetSubRange()), Plan: m.GetPlan(), Text: m.GetText(),
	}
}
