package storagenode

import (
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
)

// carryOut does what the controller orders and acknowledges each order. One fsync makes all of them
// durable first.
func (n *Node) carryOut(
	stream controlpb.NodeControl_SessionClient, orders []*controlpb.ControllerMessage,
) error {
	var acks []*controlpb.Ack
	for _, order := range orders {
		switch body := order.GetBody().(type) {
		case *controlpb.ControllerMessage_Assign:
			acks = append(acks, n.assign(body.Assign))
		case *controlpb.ControllerMessage_Revoke:
			acks = append(acks, n.withdraw(body.Revoke))
		default:
			return fmt.Errorf("controller sent %T: must be Assign or Revoke", body)
		}
	}
	if err := n.persist(); err != nil {
		for _, ack := range acks {
			ack.Error = err.Error()
		}
	}
	for _, ack := range acks {
		err := stream.Send(&controlpb.NodeMessage{Body: &controlpb.NodeMessage_Ack{Ack: ack}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) assign(m *controlpb.Assign) *controlpb.Ack {
	a, err := m.Assignment()
	if err == nil {
		err = n.configure(a)
	}
	n.cfg.Events.assigned(a, err)
	return &controlpb.Ack{SubRange: m.GetSubRange(), Epoch: m.GetEpoch(), Error: text(err)}
}

func (n *Node) withdraw(m *controlpb.Revoke) *controlpb.Ack {
	id, epoch := kv.SubRangeID(m.GetSubRange()), kv.Epoch(m.GetEpoch())
	err := n.revoke(id, epoch)
	if errors.Is(err, serverlib.ErrStaleEpoch) {
		err = nil // the node was given a later epoch since: there is nothing to revoke
	}
	n.cfg.Events.revoked(id, epoch, err)
	return &controlpb.Ack{
		SubRange: m.GetSubRange(), Epoch: m.GetEpoch(), Revoke: true, Error: text(err),
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
