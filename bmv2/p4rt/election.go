package p4rt

import (
	"fmt"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxControllers bounds the controllers connected at a time, as in PI.
const maxControllers = 16

// electionID orders controllers: the highest is primary. The zero value stands for "unset", which
// never becomes primary.
type electionID struct {
	set       bool
	high, low uint64
}

func electionIDOf(m *p4v1.Uint128) electionID {
	if m == nil {
		return electionID{}
	}
	return electionID{true, m.GetHigh(), m.GetLow()}
}

// String returns the id as two numbers of 64 bits.
func (e electionID) String() string {
	if !e.set {
		return "unset"
	}
	return fmt.Sprintf("%d:%d", e.high, e.low)
}

func (e electionID) less(other electionID) bool {
	if e.set != other.set {
		return other.set
	}
	if e.high != other.high {
		return e.high < other.high
	}
	return e.low < other.low
}

// controller is one connected controller.
type controller struct {
	id   electionID
	tell func(*p4v1.StreamMessageResponse) // queues a message; never waits
}

// election decides which controller is primary: the connected one with the highest id. As in PI,
// and unlike the specification, ids of controllers that left are forgotten, so that a backup
// takes over without asking again. It has no lock of its own.
type election struct {
	device      uint64
	controllers []*controller
	// elected is called with the primary, or nil, after every change and before anybody is told:
	// a controller that hears that it is primary must find itself treated so. Nil: not called.
	elected func(*controller)
}

func (e *election) publish() {
	if e.elected != nil {
		e.elected(e.primary())
	}
}

// primary returns the controller that may write, or nil.
func (e *election) primary() *controller {
	var best *controller
	for _, c := range e.controllers {
		if c.id.set && (best == nil || best.id.less(c.id)) {
			best = c
		}
	}
	return best
}

// join adds a controller and tells those concerned.
func (e *election) join(c *controller, id electionID) error {
	if len(e.controllers) >= maxControllers {
		return status.Errorf(codes.ResourceExhausted,
			"%d controllers are connected already", maxControllers)
	}
	if err := e.checkUnused(id); err != nil {
		return err
	}
	c.id = id
	before := e.primary()
	e.controllers = append(e.controllers, c)
	e.announce(c, before)
	return nil
}

// update gives a connected controller another id and tells those concerned.
func (e *election) update(c *controller, id electionID) error {
	if c.id != id {
		if err := e.checkUnused(id); err != nil {
			return err
		}
	}
	before := e.primary()
	c.id = id
	e.announce(c, before)
	return nil
}

// leave removes a controller; the others hear of it when the primary left.
func (e *election) leave(c *controller) {
	before := e.primary()
	for i, known := range e.controllers {
		if known == c {
			e.controllers = append(e.controllers[:i:i], e.controllers[i+1:]...)
			break
		}
	}
	e.publish()
	if before == c {
		e.announceAll()
	}
}

func (e *election) checkUnused(id electionID) error {
	for _, c := range e.controllers {
		if id.set && c.id == id {
			return invalid("election id %v is in use by another controller", id)
		}
	}
	return nil
}

// announce tells all controllers when the primary changed, else only the one that asked.
func (e *election) announce(asking, before *controller) {
	e.publish()
	if now := e.primary(); now != before || now == asking {
		e.announceAll()
		return
	}
	asking.tell(e.notification(asking))
}

// announceAll tells the backups first, so that a former primary knows before the new one starts.
func (e *election) announceAll() {
	primary := e.primary()
	for _, c := range e.controllers {
		if c != primary {
			c.tell(e.notification(c))
		}
	}
	if primary != nil {
		primary.tell(e.notification(primary))
	}
}

func (e *election) notification(c *controller) *p4v1.StreamMessageResponse {
	update := &p4v1.MasterArbitrationUpdate{DeviceId: e.device}
	switch primary := e.primary(); {
	case primary == nil:
		update.Status = &spb.Status{Code: int32(code.Code_NOT_FOUND), Message: "No primary"}
	case primary == c:
		update.Status = &spb.Status{Code: int32(code.Code_OK), Message: "Is primary"}
		update.ElectionId = &p4v1.Uint128{High: primary.id.high, Low: primary.id.low}
	default:
		update.Status = &spb.Status{Code: int32(code.Code_ALREADY_EXISTS), Message: "Is backup"}
		update.ElectionId = &p4v1.Uint128{High: primary.id.high, Low: primary.id.low}
	}
	return &p4v1.StreamMessageResponse{
		Update: &p4v1.StreamMessageResponse_Arbitration{Arbitration: update},
	}
}
