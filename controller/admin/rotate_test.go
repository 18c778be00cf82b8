package admin_test

import (
	"errors"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/controller/admin/admintest"
	"github.com/turbokv/turbokv/controller/adminpb"
)

// standby serves a controller that does not lead.
func standby(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		return status.Error(codes.Unavailable, "this controller stands by; b leads")
	}))
	go func() {
		if err := s.Serve(l); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func TestTheControllerThatLeadsIsFound(t *testing.T) {
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	leader := admintest.Start(t, admintest.Cluster())
	leader.Tell(&adminpb.Event{Kind: "node joined"})
	c, err := admin.Dial(standby(t)+","+leader.Addr, plain)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	seen := 0
	for _, err := range c.Events(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if s, err := c.Status(t.Context()); err != nil || s.Leader != "controller-1" || seen == 0 {
		t.Errorf("leader %q, %d events, %v", s.Leader, seen, err)
	}
	alone, err := admin.Dial(standby(t)+","+standby(t), plain)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if _, err := alone.Status(t.Context()); !errors.Is(err, admin.ErrUnavailable) {
		t.Errorf("nobody leads: %v", err)
	}
}
