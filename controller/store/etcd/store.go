package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/turbokv/turbokv/controller/directory"
)

// SchemaVersion is what this code writes and reads.
const SchemaVersion = 1

// commitTimeout bounds one transaction: an etcd that takes longer is as good as gone, and another
// controller may reach it.
const commitTimeout = 2 * time.Second

// Store is the directory of one leader. It is not safe for concurrent use, but for Lost.
type Store struct {
	candidate *Candidate
	session   *concurrency.Session
	election  *concurrency.Election

	ctx      context.Context // until Close
	stop     context.CancelFunc
	lost     chan struct{}
	lostOnce sync.Once
	beating  sync.WaitGroup
}

func newStore(ctx context.Context, c *Candidate, session *concurrency.Session,
	election *concurrency.Election,
) (*Store, error) {
	s := &Store{candidate: c, session: session, election: election, lost: make(chan struct{})}
	// A leader that is told to end still has to store what it is about, and to resign.
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.prepare(ctx); err != nil {
		s.stop()
		return nil, err
	}
	s.beating.Go(s.beat)
	return s, nil
}

// Lost is closed when this controller leads no longer, or does not know whether it does.
func (s *Store) Lost() <-chan struct{} { return s.lost }

func (s *Store) deposed() { s.lostOnce.Do(func() { close(s.lost) }) }

// commit is a transaction after which the caller must know what is stored: any error ends the term.
func (s *Store) commit(ctx context.Context, ops ...clientv3.Op) error {
	err := s.txn(ctx, ops...)
	if err != nil {
		s.deposed()
	}
	return err
}

// beat writes signs of life until the store is closed or another controller leads.
func (s *Store) beat() {
	ctx := s.ctx
	ticker := time.NewTicker(s.candidate.cfg.Beat)
	defer ticker.Stop()
	last := time.Now()
	for {
		put := clientv3.OpPut(s.candidate.key("beat"), s.candidate.cfg.Name)
		switch err := s.txn(ctx, put); {
		case ctx.Err() != nil:
			return
		case err == nil:
			last = time.Now()
		case errors.Is(err, ErrDeposed) || time.Since(last) > s.candidate.cfg.Patience:
			s.deposed() // also if etcd does not answer: a standby that it answers leads by now
			return
		}
		select {
		case <-ticker.C:
		case <-s.session.Done():
			s.deposed()
			return
		case <-ctx.Done():
			return
		}
	}
}

// Close gives up the leadership, so that a standby takes over at once.
func (s *Store) Close() error {
	s.stop()
	s.beating.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), commitTimeout)
	defer cancel()
	return errors.Join(s.election.Resign(ctx), s.session.Close())
}

// txn does all operations if this controller still leads, else none.
func (s *Store) txn(ctx context.Context, ops ...clientv3.Op) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	leads := clientv3.Compare(clientv3.CreateRevision(s.election.Key()), "=", s.election.Rev())
	r, err := s.candidate.client.Txn(ctx).If(leads).Then(ops...).Commit()
	switch {
	case err != nil:
		return fmt.Errorf("etcd: %w", err)
	case !r.Succeeded:
		return fmt.Errorf("etcd: %w", ErrDeposed)
	}
	return nil
}

// prepare makes an empty prefix a store, checks the version of any other, and finishes a commit
// that an earlier leader had begun.
func (s *Store) prepare(ctx context.Context) error {
	version, found, err := s.get(ctx, "meta/schema")
	if err != nil {
		return err
	}
	if !found {
		meta, err := json.Marshal(directory.Meta{ClusterID: s.candidate.cfg.NewClusterID()})
		if err != nil {
			return err
		}
		return s.txn(ctx, clientv3.OpPut(s.candidate.key("meta/schema"), strconv.Itoa(SchemaVersion)),
			clientv3.OpPut(s.candidate.key("meta/directory"), string(meta)))
	}
	if string(version) != strconv.Itoa(SchemaVersion) {
		return fmt.Errorf("etcd %s: %w %q: this program reads version %d", s.candidate.cfg.Prefix,
			ErrSchema, version, SchemaVersion)
	}
	return s.finishJournal(ctx)
}

func (s *Store) get(ctx context.Context, name string) (value []byte, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	r, err := s.candidate.client.Get(ctx, s.candidate.key(name))
	if err != nil {
		return nil, false, fmt.Errorf("etcd: read %s: %w", name, err)
	}
	if len(r.Kvs) == 0 {
		return nil, false, nil
	}
	return r.Kvs[0].Value, true, nil
}

// NextTerm counts leaders, from 1: it makes P4Runtime election ids that grow.
func (s *Store) NextTerm() (uint64, error) {
	raw, found, err := s.get(s.ctx, "meta/term")
	if err != nil {
		return 0, err
	}
	var term uint64
	if found {
		if term, err = strconv.ParseUint(string(raw), 10, 64); err != nil {
			return 0, fmt.Errorf("%w: term %q", ErrCorrupt, raw)
		}
	}
	term++
	put := clientv3.OpPut(s.candidate.key("meta/term"), strconv.FormatUint(term, 10))
	return term, s.commit(s.ctx, put)
}
