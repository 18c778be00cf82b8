package p4rt

import (
	"fmt"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxControllers bounds the controllers of one role connected at a time, as in PI.
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

// election decides which controller of a role is primary: the connected one that has the highest
// id which the device has ever received for the role. So a backup does not follow a primary that
// left until it asks again with an id that is high enough (specification, section "Client
// Arbitration and Controller Replication"). It has no lock of its own.
type election struct {
	device      uint64
	role        role // as the latest primary described it
	controllers []*controller
	leader      *controller // the primary, or nil
	past        electionID  // the highest id ever received
	// elected is called after every change and before anybody is told: a controller that hears that
	// it is primary must find itself treated so. Nil: not called.
	elected func()
}

func (e *election) publish() {
	if e.elected != nil {
		e.elected()
	}
}

// primary returns the controller that may write, or nil.
func (e *election) primary() *controller { return e.leader }

// join adds a controller and tells those concerned.
func (e *election) join(c *controller, id electionID, r role) error {
	if len(e.controllers) >= maxControllers {
		return status.Errorf(codes.ResourceExhausted,
			"%d controllers are connected for the role already", maxControllers)
	}
	if err := e.checkUnused(c, id); err != nil {
		return err
	}
	e.controllers = append(e.controllers, c)
	e.assign(c, id, r)
	return nil
}

// update gives a connected controller another id and tells those concerned.
func (e *election) update(c *controller, id electionID, r role) error {
	if err := e.checkUnused(c, id); err != nil {
		return err
	}
	e.assign(c, id, r)
	return nil
}

// assign gives a controller its id and decides whether it is primary.
func (e *election) assign(c *controller, id electionID, r role) {
	c.id = id
	switch {
	case id.set && !id.less(e.past):
		e.leader, e.past, e.role = c, id, r
		e.publish()
		e.announceAll()
	case e.leader == c: // it steps down
		e.leader = nil
		e.publish()
		e.announceAll()
	default:
		c.tell(e.notification(c))
	}
}

// leave removes a controller; the others hear of it when the primary left.
func (e *election) leave(c *controller) {
	for i, known := range e.controllers {
		if known == c {
			e.controllers = append(e.controllers[:i:i], e.controllers[i+1:]...)
			break
		}
	}
	if e.leader == c {
		e.leader = nil
		e.publish()
		e.announceAll()
	}
}

func (e *election) checkUnused(asking *controller, id electionID) error {
	for _, c := range e.controllers {
		if c != asking && id.set && c.id == id {
			return invalid("election id %v is in use by another controller", id)
		}
	}
	return nil
}

// announceAll tells the backups first, so that a former primary knows before the new one starts.
func (e *election) announceAll() {
	for _, c := range e.controllers {
		if c != e.leader {
			c.tell(e.notification(c))
		}
	}
	if e.leader != nil {
		e.leader.tell(e.notification(e.leader))
	}
}

func (e *election) notification(c *controller) *p4v1.StreamMessageResponse {
	update := &p4v1.MasterArbitrationUpdate{DeviceId: e.device, Role: e.role.message()}
	if e.past.set {
		update.ElectionId = &p4v1.Uint128{High: e.past.high, Low: e.past.low}
	}
	switch {
	case e.leader == nil:
		update.Status = &spb.Status{Code: int32(code.Code_NOT_FOUND), Message: "No primary"}
	case e.leader == c:
		update.Status = &spb.Status{Code: int32(code.Code_OK), Message: "Is primary"}
	default:
		update.Status = &spb.Status{Code: int32(code.Code_ALREADY_EXISTS), Message: "Is backup"}
	}
	return &p4v1.StreamMessageResponse{
		Update: &p4v1.StreamMessageResponse_Arbitration{Arbitration: update},
	}
}
