package differ

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// controller is the primary controller of a device. It collects what the device sends by itself.
type controller struct {
	client p4v1.P4RuntimeClient
	stream p4v1.P4Runtime_StreamChannelClient
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	heard   []string // packet-ins and digests, as text
	changed chan struct{}
}

var electionID = &p4v1.Uint128{Low: 1}

// control becomes the primary controller of a device.
func control(client p4v1.P4RuntimeClient) (*controller, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := client.StreamChannel(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &controller{client: client, stream: stream, cancel: cancel,
		done: make(chan struct{}), changed: make(chan struct{}, 1)}
	err = stream.Send(&p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Arbitration{
		Arbitration: &p4v1.MasterArbitrationUpdate{DeviceId: deviceID, ElectionId: electionID}}})
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("arbitration: %w", err)
	}
	go c.listen()
	return c, nil
}

func (c *controller) close() {
	c.cancel()
	<-c.done
}

// listen ends with the stream.
func (c *controller) listen() {
	defer close(c.done)
	for {
		m, err := c.stream.Recv()
		if err != nil {
			return
		}
		c.hear(m)
	}
}

func (c *controller) hear(m *p4v1.StreamMessageResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case m.GetPacket() != nil:
		c.heard = append(c.heard, "packet-in "+line(m.GetPacket()))
	case m.GetDigest() != nil:
		for _, data := range m.GetDigest().GetData() {
			c.heard = append(c.heard, fmt.Sprintf("digest %d %s", m.GetDigest().GetDigestId(), line(data)))
		}
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// take waits until n messages were heard, at most for the patience given, and returns all so far,
// sorted.
func (c *controller) take(n int, patience time.Duration) []string {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		c.mu.Lock()
		if len(c.heard) >= n {
			defer c.mu.Unlock()
			return c.drain()
		}
		c.mu.Unlock()
		select {
		case <-c.changed:
		case <-timer.C:
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.drain()
		}
	}
}

func (c *controller) drain() []string {
	heard := c.heard
	c.heard = nil
	slices.Sort(heard)
	return heard
}

// setPipeline puts a program into service.
func (c *controller) setPipeline(ctx context.Context, config *p4v1.ForwardingPipelineConfig) error {
	_, err := c.client.SetForwardingPipelineConfig(ctx, &p4v1.SetForwardingPipelineConfigRequest{
		DeviceId: deviceID, ElectionId: electionID, Config: config,
		Action: p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT,
	})
	return err
}

// write sends updates in one request and returns the outcome of each.
func (c *controller) write(ctx context.Context, updates []*p4v1.Update) ([]error, error) {
	outcomes := make([]error, len(updates))
	if len(updates) == 0 {
		return outcomes, nil
	}
	_, err := c.client.Write(ctx, &p4v1.WriteRequest{
		DeviceId: deviceID, ElectionId: electionID, Updates: updates})
	if err == nil {
		return outcomes, nil
	}
	details := status.Convert(err).Details()
	if len(details) != len(updates) {
		return nil, err
	}
	for i, d := range details {
		e, ok := d.(*p4v1.Error)
		if !ok {
			return nil, err
		}
		if code := codes.Code(e.GetCanonicalCode()); code != codes.OK {
			outcomes[i] = status.Error(code, e.GetMessage())
		}
	}
	return outcomes, nil
}

// read returns what is found, as sorted lines of text.
func (c *controller) read(ctx context.Context, e *p4v1.Entity) ([]string, error) {
	stream, err := c.client.Read(ctx, &p4v1.ReadRequest{DeviceId: deviceID, Entities: []*p4v1.Entity{e}})
	if err != nil {
		return nil, err
	}
	var lines []string
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			slices.Sort(lines)
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range m.GetEntities() {
			lines = append(lines, line(e))
		}
	}
}

// line is a message as one line of text. The text format varies its spaces on purpose.
func line(m proto.Message) string {
	return strings.Join(strings.Fields(prototext.MarshalOptions{}.Format(m)), " ")
}
