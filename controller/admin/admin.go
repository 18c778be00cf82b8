// Package admin is the Go client of the controller's admin service: keyspaces and status in the
// nouns of package kv. The command line uses it, and so can any program that runs a cluster.
package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turbokv/turbokv/controller/adminpb"
	"github.com/turbokv/turbokv/kv"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The reasons of errors, for errors.Is. The text of the error says more.
var (
	ErrInvalid     = errors.New("invalid argument")
	ErrExists      = errors.New("exists already")
	ErrNotFound    = errors.New("not found")
	ErrNotReady    = errors.New("not ready")
	ErrCapacity    = errors.New("capacity exceeded")
	ErrUnavailable = errors.New("controller unavailable")
)

var reasons = map[codes.Code]error{
	codes.InvalidArgument:    ErrInvalid,
	codes.AlreadyExists:      ErrExists,
	codes.NotFound:           ErrNotFound,
	codes.FailedPrecondition: ErrNotReady,
	codes.ResourceExhausted:  ErrCapacity,
	codes.Unavailable:        ErrUnavailable,
	codes.DeadlineExceeded:   context.DeadlineExceeded,
	codes.Canceled:           context.Canceled,
}

// Client talks to the controller, or to the one of several that leads. It is safe for concurrent use.
type Client struct {
	conn *rotation
	rpc  adminpb.AdminClient
}

// Dial returns a client of the controller at a gRPC target, usually host:port, or of several
// controllers, with commas between their targets. Options must at least choose the transport
// credentials. It connects with the first call.
func Dial(target string, options ...grpc.DialOption) (*Client, error) {
	conn, err := dialAll(target, options)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, rpc: adminpb.NewAdminClient(conn)}, nil
}

// Close ends the connections.
func (c *Client) Close() error { return c.conn.Close() }

// KeyspaceSpec is a keyspace to create.
type KeyspaceSpec struct {
	Name        string
	Partitioner kv.Partitioner
	Durability  kv.Durability
	Replication int // replicas per sub-range; 0: 3, or as many as there are nodes
	SubRanges   int // initial ones, of equal length; 0: four per node, to the next power of two
	// Cuts are the first index keys of all sub-ranges but the first, ascending. Give them instead
	// of SubRanges when keys do not spread over the whole line.
	Cuts []kv.IndexKey
}

// Keyspace is a keyspace and how far it is.
type Keyspace struct {
	kv.Descriptor
	SubRanges int
	Phase     string // creating, ready, dropping
}

// CreateKeyspace returns when clients can find the keyspace, or when ctx ends: then the controller
// goes on creating it.
func (c *Client) CreateKeyspace(ctx context.Context, spec KeyspaceSpec) (Keyspace, error) {
	if spec.Replication < 0 || spec.SubRanges < 0 {
		return Keyspace{}, fmt.Errorf("keyspace %q: %w: replication %d, %d sub-ranges: must not be "+
			"negative", spec.Name, ErrInvalid, spec.Replication, spec.SubRanges)
	}
	request := &adminpb.CreateKeyspaceRequest{
		Name: spec.Name, Partitioner: uint32(spec.Partitioner), Durability: uint32(spec.Durability),
		Replication: uint32(spec.Replication), SubRanges: uint32(spec.SubRanges),
	}
	for _, cut := range spec.Cuts {
		request.Cuts = append(request.Cuts, cut[:])
	}
	reply, err := c.rpc.CreateKeyspace(ctx, request)
	if err != nil {
		return Keyspace{}, reason(err)
	}
	return keyspaceOf(reply), nil
}

// ListKeyspaces returns all keyspaces by id, the system keyspace too.
func (c *Client) ListKeyspaces(ctx context.Context) ([]Keyspace, error) {
	reply, err := c.rpc.ListKeyspaces(ctx, &adminpb.ListKeyspacesRequest{})
	if err != nil {
		return nil, reason(err)
	}
	return keyspacesOf(reply.GetKeyspaces()), nil
}

// DropKeyspace returns when no client can find the keyspace any more.
func (c *Client) DropKeyspace(ctx context.Context, name string) error {
	_, err := c.rpc.DropKeyspace(ctx, &adminpb.DropKeyspaceRequest{Name: name})
	return reason(err)
}

// Status returns what the controller knows now.
func (c *Client) Status(ctx context.Context) (Status, error) {
	reply, err := c.rpc.Status(ctx, &adminpb.StatusRequest{})
	if err != nil {
		return Status{}, reason(err)
	}
	return statusOf(reply), nil
}

// reason makes the code of a gRPC error visible to errors.Is and keeps its text.
func reason(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	if sentinel, ok := reasons[s.Code()]; ok {
		return &Error{Message: s.Message(), Reason: sentinel}
	}
	return fmt.Errorf("controller: %w", err)
}

// Error is a refusal of the controller.
type Error struct {
	Message string // says what, where, and the valid choices
	Reason  error  // one of the reasons above, or that of a context
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Reason }

func keyspaceOf(m *adminpb.Keyspace) Keyspace {
	return Keyspace{
		Descriptor: kv.Descriptor{
			Name: m.GetName(), ID: kv.KeyspaceID(m.GetId()),
			Partitioner: kv.Partitioner(m.GetPartitioner()),
			Durability:  kv.Durability(m.GetDurability()), Replication: int(m.GetReplication()),
		},
		SubRanges: int(m.GetSubRanges()), Phase: m.GetPhase(),
	}
}

func keyspacesOf(all []*adminpb.Keyspace) (out []Keyspace) {
	for _, m := range all {
		out = append(out, keyspaceOf(m))
	}
	return out
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
