package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"sync"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

//go:generate p4c-bm2-ss --arch v1model --Werror --p4runtime-files p4/tables.p4info.txtpb -o p4/tables.json p4/tables.p4

//go:embed p4/*.json p4/*.txtpb
var program embed.FS

func pipeline() (*p4v1.ForwardingPipelineConfig, error) {
	text, err := program.ReadFile("p4/tables.p4info.txtpb")
	if err != nil {
		return nil, err
	}
	device, err := program.ReadFile("p4/tables.json")
	if err != nil {
		return nil, err
	}
	info := new(configv1.P4Info)
	if err := prototext.Unmarshal(text, info); err != nil {
		return nil, fmt.Errorf("P4Info: %w", err)
	}
	return &p4v1.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: device}, nil
}

// request is an encoded WriteRequest.
type request []byte

// encodedCodec sends requests as they are, so that the controller's own work is no part of what is
// measured.
type encodedCodec struct{}

func (encodedCodec) Marshal(v any) ([]byte, error) {
	if r, ok := v.(*request); ok {
		return *r, nil
	}
	return nil, fmt.Errorf("marshal %T", v)
}

func (encodedCodec) Unmarshal([]byte, any) error { return nil } // a WriteResponse is empty
func (encodedCodec) Name() string                { return "proto" }

// requests encodes the updates of all entries in batches.
func (w *writer) requests(kind p4v1.Update_Type, size int) (out []request, err error) {
	for from := 0; from < len(w.entries); from += size {
		text, err := proto.Marshal(&p4v1.WriteRequest{DeviceId: 1,
			Updates: w.batch(kind, from, min(from+size, len(w.entries)))})
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// controller writes to a switch over gRPC.
type controller struct{ conn *grpc.ClientConn }

func newController(addr net.Addr) (*controller, error) {
	conn, err := grpc.NewClient(addr.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(encodedCodec{})))
	return &controller{conn}, err
}

// write sends all requests, several at a time, and waits for the answers.
func (c *controller) write(ctx context.Context, requests []request, inFlight int) error {
	queue := make(chan request, len(requests))
	for _, r := range requests {
		queue <- r
	}
	close(queue)
	errs := make([]error, inFlight)
	var group sync.WaitGroup
	for i := range inFlight {
		group.Go(func() {
			for r := range queue {
				if errs[i] = c.conn.Invoke(ctx, p4v1.P4Runtime_Write_FullMethodName, &r,
					&p4v1.WriteResponse{}); errs[i] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
