package p4rt

import (
	"context"
	"fmt"
	"sync"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bounds of what a server takes from all its clients together, so that none can exhaust its memory.
const (
	// MaxRequest bounds a request in bytes, and the sum of those that are decoded at a time; the others
	// wait. Device configs and batches of writes are larger than gRPC's default of 4 MiB; this is room
	// for 1,000,000 entries.
	MaxRequest = 64 << 20
	// maxOther bounds other messages than writes and pipelines.
	maxOther = 1 << 20
	// maxFields bounds the fields of a message, nested ones included. An empty message of 2 bytes takes
	// some 70 when it is decoded.
	maxFields = 1 << 24
	// maxUpdates and maxReadRequests bound the elements of a request: each may have an error of its own.
	maxUpdates      = 1 << 20
	maxReadRequests = 1 << 16
	// maxCalls bounds the calls under way on one connection.
	maxCalls = 128
	// maxReads bounds the reads under way: each holds what it found until the reader took it.
	maxReads = 64
	// maxReadPause is how long a reader may leave a part unread while others wait for its place.
	maxReadPause = 10 * time.Second
)

// ServerOptions are what a gRPC server of this service should have. They are for one server.
func ServerOptions() []grpc.ServerOption {
	l := &limiter{room: semaphore.NewWeighted(MaxRequest)}
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxRequest),
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(protocodec.Name), l}),
		grpc.ChainUnaryInterceptor(l.serve),
	}
}

// limiter bounds the writes and pipelines that are decoded or carried out at a time, in bytes.
type limiter struct {
	room  *semaphore.Weighted
	taken sync.Map // bytes by request
}

// take waits for room. Those that have it depend on no client any more, so it comes.
func (l *limiter) take(request any, bytes int) error {
	if err := l.room.Acquire(context.Background(), int64(bytes)); err != nil {
		return err
	}
	l.taken.Store(request, int64(bytes))
	return nil
}

func (l *limiter) release(request any) {
	if bytes, ok := l.taken.LoadAndDelete(request); ok {
		l.room.Release(bytes.(int64))
	}
}

// serve gives the room of a request back when it has been carried out.
func (l *limiter) serve(
	ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (any, error) {
	defer l.release(in)
	return next(ctx, in)
}

// codec decodes only what its limiter has room for.
type codec struct {
	encoding.CodecV2
	limiter *limiter
}

// Unmarshal implements [encoding.CodecV2].
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	size := data.Len()
	switch v.(type) {
	case *p4v1.WriteRequest, *p4v1.SetForwardingPipelineConfigRequest:
	default:
		if size > maxOther {
			return fmt.Errorf("message of %d bytes, at most %d are allowed here", size, maxOther)
		}
		return c.CodecV2.Unmarshal(data, v)
	}
	if err := c.limiter.take(v, size); err != nil {
		return err
	}
	err := c.decode(data, v)
	if err != nil {
		c.limiter.release(v)
	}
	return err
}

func (c codec) decode(data mem.BufferSlice, v any) error {
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	// A field has 2 bytes or more, so that short messages need not be looked at.
	if m, ok := v.(proto.Message); ok && buf.Len() > 2*maxFields {
		if countFields(m.ProtoReflect().Descriptor(), buf.ReadOnlyData(), maxFields, 0) < 0 {
			return fmt.Errorf("the message has more than %d fields", maxFields)
		}
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{buf}, v)
}

// countFields takes the fields of a message on the wire off a number and returns what is left; it is
// negative if there are more. What is broken is left to the decoder, too deep nesting as well.
func countFields(d protoreflect.MessageDescriptor, wire []byte, left, depth int) int {
	const deepest = protowire.DefaultRecursionLimit
	for len(wire) > 0 && left >= 0 && depth <= deepest {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return left
		}
		wire = wire[n:]
		if n = protowire.ConsumeFieldValue(number, kind, wire); n < 0 {
			return left
		}
		left--
		if f := d.Fields().ByNumber(number); f != nil && f.Message() != nil && kind == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(wire)
			left = countFields(f.Message(), inner, left, depth+1)
		}
		wire = wire[n:]
	}
	return left
}

// checkCount refuses a request of too many elements.
func checkCount(what string, n, most int) error {
	if n <= most {
		return nil
	}
	return status.Errorf(codes.ResourceExhausted, "%d %s in one request, at most %d are allowed",
		n, what, most)
}

// attended runs a function that sends to a client, and gives it up when the client does not take a
// message for too long while it is crowded. What the function blocks in then ends with the call that this is part of.
func attended[T any](
	pause time.Duration, crowded func() bool, send func(T) error, run func(send func(T) error) error,
) error {
	timer := time.NewTimer(pause)
	timer.Stop()
	ended := make(chan error, 1)
	go func() {
		ended <- run(func(m T) error {
			timer.Reset(pause)
			defer timer.Stop()
			return send(m)
		})
	}()
	for {
		select {
		case err := <-ended:
			return err
		case <-timer.C:
		}
		if crowded() {
			return status.Errorf(codes.ResourceExhausted,
				"nothing was read for %v, and others wait", pause)
		}
		timer.Reset(pause)
	}
}
