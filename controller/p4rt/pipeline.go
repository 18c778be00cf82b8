package p4rt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Pipeline is a P4 program as a switch takes it.
type Pipeline struct {
	P4Info       *configv1.P4Info
	DeviceConfig []byte // for bmv2, the JSON that p4c wrote
}

// Cookie is a hash of the whole program. Two controllers with the same program agree on it, so it
// tells whether a switch runs that program already.
func (p Pipeline) Cookie() uint64 {
	info, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.P4Info)
	if err != nil {
		panic(fmt.Sprintf("p4rt: P4Info: %v", err)) // a message in memory can always be written
	}
	h := sha256.New()
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(info)))
	h.Write(size[:]) // keeps the border between the two parts
	h.Write(info)
	h.Write(p.DeviceConfig)
	return max(1, binary.BigEndian.Uint64(h.Sum(nil))) // 0 is what a switch without cookie says
}

// ensurePipeline pushes the program unless the switch runs it already.
func (c *Client) ensurePipeline(ctx context.Context, rpc p4v1.P4RuntimeClient) error {
	running, err := c.runningCookie(ctx, rpc)
	if err != nil {
		return err
	}
	if running == c.cookie {
		return nil
	}
	request := &p4v1.SetForwardingPipelineConfigRequest{
		DeviceId: c.cfg.DeviceID, ElectionId: c.cfg.ElectionID.proto(),
		Action: p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT,
		Config: &p4v1.ForwardingPipelineConfig{
			P4Info: c.cfg.Pipeline.P4Info, P4DeviceConfig: c.cfg.Pipeline.DeviceConfig,
			Cookie: &p4v1.ForwardingPipelineConfig_Cookie{Cookie: c.cookie},
		},
	}
	if running != 0 { // another program: keep of its state what the switch can keep
		request.Action = p4v1.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT
		if _, err := rpc.SetForwardingPipelineConfig(ctx, request); err == nil {
			c.cfg.Events.pipelinePushed(c.cookie)
			return nil
		}
		request.Action = p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT
	}
	if _, err := rpc.SetForwardingPipelineConfig(ctx, request); err != nil {
		return fmt.Errorf("push pipeline: %w", err)
	}
	c.cfg.Events.pipelinePushed(c.cookie)
	return nil
}

// runningCookie returns 0 if the switch runs no program, or one without cookie.
func (c *Client) runningCookie(ctx context.Context, rpc p4v1.P4RuntimeClient) (uint64, error) {
	reply, err := rpc.GetForwardingPipelineConfig(ctx, &p4v1.GetForwardingPipelineConfigRequest{
		DeviceId:     c.cfg.DeviceID,
		ResponseType: p4v1.GetForwardingPipelineConfigRequest_COOKIE_ONLY,
	})
	switch status.Code(err) {
	case codes.OK:
		return reply.GetConfig().GetCookie().GetCookie(), nil
	case codes.FailedPrecondition, codes.NotFound: // nothing has been pushed yet
		return 0, nil
	}
	return 0, fmt.Errorf("ask for the running pipeline: %w", err)
}
