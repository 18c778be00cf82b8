package etcd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// Candidate is one controller's part in the election. It campaigns again and again, one Store for
// each time that it leads.
type Candidate struct {
	cfg    Config
	client *clientv3.Client
}

// Open prepares a candidate. It fails when no endpoint answers.
func Open(ctx context.Context, cfg Config) (*Candidate, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(cfg.Client)
	if err != nil {
		return nil, fmt.Errorf("etcd %v: %w", cfg.Client.Endpoints, err)
	}
	c := &Candidate{cfg: cfg, client: client}
	ctx, cancel := context.WithTimeout(ctx, cfg.Client.DialTimeout)
	defer cancel()
	if _, err := client.Get(ctx, c.key("meta/schema")); err != nil {
		return nil, errors.Join(fmt.Errorf("etcd %v: %w", cfg.Client.Endpoints, err), client.Close())
	}
	return c, nil
}

// Close ends the connection. A Store must be closed before.
func (c *Candidate) Close() error { return c.client.Close() }

func (c *Candidate) key(name string) string { return c.cfg.Prefix + "/" + name }

// Lead returns when this controller leads, with the store that it may write to as long as it does.
func (c *Candidate) Lead(ctx context.Context) (*Store, error) {
	lease, err := c.client.Grant(ctx, int64(c.cfg.LeaseTTL))
	if err != nil {
		return nil, fmt.Errorf("etcd: lease: %w", err)
	}
	session, err := concurrency.NewSession(c.client, concurrency.WithLease(lease.ID))
	if err != nil {
		return nil, fmt.Errorf("etcd: session: %w", err)
	}
	s, err := c.campaign(ctx, session)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return s, nil
}

func (c *Candidate) campaign(ctx context.Context, session *concurrency.Session) (*Store, error) {
	watched, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { c.watchLeader(watched) })
	defer watching.Wait()
	defer stop()
	election := concurrency.NewElection(session, c.key("election"))
	if err := election.Campaign(ctx, c.cfg.Name); err != nil {
		return nil, fmt.Errorf("etcd: campaign: %w", err)
	}
	return newStore(ctx, c, session, election)
}

// Leader returns the name of the controller that leads; empty if there is none.
func (c *Candidate) Leader(ctx context.Context) (string, error) {
	leader, err := c.leader(ctx)
	return leader.name, err
}

// leader is who leads, and the lease that lets it.
type leader struct {
	name  string
	lease clientv3.LeaseID
}

func (c *Candidate) leader(ctx context.Context) (leader, error) {
	first := append(clientv3.WithFirstCreate(), clientv3.WithPrefix())
	r, err := c.client.Get(ctx, c.key("election")+"/", first...)
	if err != nil || len(r.Kvs) == 0 {
		return leader{}, err
	}
	return leader{string(r.Kvs[0].Value), clientv3.LeaseID(r.Kvs[0].Lease)}, nil
}

// watchLeader deposes a leader that has stopped beating, for as long as ctx lasts.
func (c *Candidate) watchLeader(ctx context.Context) {
	ticker := time.NewTicker(c.cfg.Beat)
	defer ticker.Stop()
	var seen silence
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			c.lookAtLeader(ctx, now, &seen)
		}
	}
}

// silence is what a standby has seen of the leader.
type silence struct {
	of    clientv3.LeaseID
	beat  string
	since time.Time // by this controller's monotonic clock
}

// observe notes one look at the leader and tells how long it has been silent.
func (s *silence) observe(now time.Time, of clientv3.LeaseID, beat string) time.Duration {
	if of != s.of || beat != s.beat {
		*s = silence{of, beat, now}
	}
	return now.Sub(s.since)
}

// lookAtLeader reads the beat and revokes the lease of a leader that has been silent for too long.
// As long as etcd does not answer, nobody's silence is counted: it may be our own.
func (c *Candidate) lookAtLeader(ctx context.Context, now time.Time, seen *silence) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Patience)
	defer cancel()
	who, err := c.leader(ctx)
	if err != nil {
		*seen = silence{}
		return
	}
	beat, err := c.client.Get(ctx, c.key("beat"))
	if err != nil {
		*seen = silence{}
		return
	}
	text := ""
	if len(beat.Kvs) > 0 {
		text = strconv.FormatInt(beat.Kvs[0].ModRevision, 10)
	}
	if who.lease != 0 && seen.observe(now, who.lease, text) >= c.cfg.Patience {
		_, _ = c.client.Revoke(ctx, who.lease) // if it fails, the next look tries again
	}
}
