package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/turbokv/turbokv/controller/store/etcd"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stepBack is the pause of a controller that lost the leadership, or whose etcd does not answer, before
// it stands by again.
const stepBack = 100 * time.Millisecond

// errListen is what standing by cannot go on without.
var errListen = errors.New("cannot listen")

// runElected lets this controller stand by, and control the cluster for as long as etcd has elected
// it, again and again until ctx is done.
func runElected(ctx context.Context, cfg Config) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	store, err := etcd.ParseAddress(cfg.Store)
	if err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	if cfg.Listener != nil {
		return errors.New("controller: with a store in etcd, Listen must be set and not Listener")
	}
	store.Name, store.NewClusterID = cfg.Listen, newClusterID
	candidate, err := etcd.Open(ctx, store)
	if err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	for err == nil && ctx.Err() == nil {
		err = oneTerm(ctx, cfg, candidate)
	}
	return errors.Join(err, candidate.Close())
}

// oneTerm stands by until this controller is elected, and leads until it is deposed.
func oneTerm(ctx context.Context, cfg Config, candidate *etcd.Candidate) error {
	store, err := standBy(ctx, cfg, candidate)
	if ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, errListen) {
		return err
	}
	if err != nil { // etcd was there when this controller began, and will be again
		cfg.Events.tell(Event{Kind: ControllerStandsBy, Err: err})
		wait(ctx, stepBack)
		return nil
	}
	cfg.Events.tell(Event{Kind: ControllerLeads})
	c, err := build(cfg, store)
	if err != nil && !lostLeadership(store) {
		return errors.Join(err, store.Close())
	}
	if err != nil {
		_ = store.Close() // it cannot even resign
		wait(ctx, stepBack)
		return nil
	}
	leads, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() { // ends with the term
		select {
		case <-store.Lost():
			end(etcd.ErrDeposed)
		case <-leads.Done():
		}
	}()
	err = c.Run(leads)
	if ctx.Err() != nil || !lostLeadership(store) {
		return err
	}
	// Whatever failed, failed because another controller leads: what counts is stored.
	cfg.Events.tell(Event{Kind: ControllerStandsBy, Err: err})
	wait(ctx, stepBack)
	return nil
}

func lostLeadership(s *etcd.Store) bool {
	select {
	case <-s.Lost():
		return true
	default:
		return false
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// standBy returns when this controller has been elected. Meanwhile it tells everybody who calls it
// who leads.
func standBy(ctx context.Context, cfg Config, candidate *etcd.Candidate) (*etcd.Store, error) {
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("controller: %w: %w", errListen, err)
	}
	refuse := func(_ any, stream grpc.ServerStream) error {
		leader, err := candidate.Leader(stream.Context())
		if err != nil {
			return status.Errorf(codes.Unavailable, "this controller stands by; who leads is not "+
				"known: %v", err)
		}
		return status.Errorf(codes.Unavailable, "this controller stands by; %s leads", leader)
	}
	server := grpc.NewServer(append(cfg.ServerOptions, grpc.UnknownServiceHandler(refuse))...)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	store, err := candidate.Lead(ctx)
	server.Stop()
	return store, errors.Join(err, <-served)
}
