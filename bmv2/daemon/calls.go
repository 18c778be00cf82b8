package daemon

import (
	"cmp"
	"context"
	"path"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// CallCount is how many calls of a P4Runtime method ended with a code.
type CallCount struct {
	Method string // such as Write
	Code   codes.Code
	Count  uint64
}

// calls counts what controllers called.
type calls struct {
	mu     sync.Mutex
	counts map[CallCount]uint64 // by method and code
}

func (c *calls) add(method string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[CallCount]uint64{}
	}
	c.counts[CallCount{Method: path.Base(method), Code: status.Code(err)}]++
}

// options make a server count.
func (c *calls) options() []grpc.ServerOption {
	unary := func(
		ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
	) (any, error) {
		out, err := next(ctx, in)
		c.add(info.FullMethod, err)
		return out, err
	}
	stream := func(
		service any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
	) error {
		err := next(service, s)
		c.add(info.FullMethod, err)
		return err
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)}
}

// Calls returns the calls of controllers that have ended, by method and code.
func (d *Daemon) Calls() (all []CallCount) {
	d.calls.mu.Lock()
	defer d.calls.mu.Unlock()
	for k, n := range d.calls.counts {
		k.Count = n
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b CallCount) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Code, b.Code))
	})
	return all
}
