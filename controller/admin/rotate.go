package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// rotation is a connection to whichever of several controllers leads: one that is away or stands by
// answers UNAVAILABLE, and has done nothing.
type rotation struct {
	conns []*grpc.ClientConn
	next  atomic.Uint32 // the one that answered last
}

func dialAll(targets string, options []grpc.DialOption) (*rotation, error) {
	r := &rotation{}
	for target := range strings.SplitSeq(targets, ",") {
		conn, err := grpc.NewClient(target, options...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("controller %s: %w", target, err), r.Close())
		}
		r.conns = append(r.conns, conn)
	}
	return r, nil
}

// Close ends all connections.
func (r *rotation) Close() error {
	var errs []error
	for _, c := range r.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// try calls f with one connection after the other until one of them is not unavailable. The error
// is the last one's that could be reached, because it says who leads.
func (r *rotation) try(f func(*grpc.ClientConn) error) (err error) {
	first := r.next.Load()
	for i := range uint32(len(r.conns)) {
		at := (first + i) % uint32(len(r.conns))
		if err = f(r.conns[at]); status.Code(err) != codes.Unavailable {
			r.next.Store(at)
			return err
		}
	}
	return err
}

// Invoke implements grpc.ClientConnInterface.
func (r *rotation) Invoke(ctx context.Context, method string, args, reply any,
	opts ...grpc.CallOption,
) error {
	return r.try(func(c *grpc.ClientConn) error { return c.Invoke(ctx, method, args, reply, opts...) })
}

// NewStream implements grpc.ClientConnInterface. A stream is not moved to another controller once it
// is open; openEvents asks before who leads.
func (r *rotation) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string,
	opts ...grpc.CallOption,
) (stream grpc.ClientStream, err error) {
	err = r.try(func(c *grpc.ClientConn) (err error) {
		stream, err = c.NewStream(ctx, desc, method, opts...)
		return err
	})
	return stream, err
}
