package clientlib_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/antihax/optional"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/clientlib/internal/teststore"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

func TestOperations(t *testing.T) {
	c, ctx := newServer(t).dial(t, nil), context.Background()
	key := []byte("alice")

	if _, err := c.Get(ctx, key); !errors.Is(err, clientlib.ErrNotFound) {
		t.Fatalf("get of an absent record: %v", err)
	}
	v1, err := c.Put(ctx, key, []byte("one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Get(ctx, key)
	if err != nil || string(r.Key) != "alice" || string(r.Value) != "one" || r.Version != v1 {
		t.Fatalf("get: %+v, %v, want version %d", r, err, v1)
	}
	v2, err := c.CompareAndSwap(ctx, key, v1, []byte("two"))
	if err != nil || v2 <= v1 {
		t.Fatalf("compare and swap: version %d after %d, %v", v2, v1, err)
	}
	_, err = c.CompareAndSwap(ctx, key, v1, []byte("three"))
	var mismatch *clientlib.VersionMismatchError
	if !errors.Is(err, clientlib.ErrVersionMismatch) || !errors.As(err, &mismatch) {
		t.Fatalf("compare and swap of an old version: %v", err)
	}
	if mismatch.Current != v2 || !strings.Contains(err.Error(), fmt.Sprintf("has version %d", v2)) {
		t.Fatalf("%v, want current version %d", err, v2)
	}
	if err := c.Delete(ctx, key, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(ctx, key, nil); !errors.Is(err, clientlib.ErrNotFound) {
		t.Fatalf("delete of an absent record: %v", err)
	}
	for want := int64(5); want <= 10; want += 5 {
		if n, err := c.Increment(ctx, []byte("count"), 5); err != nil || n != want {
			t.Fatalf("increment: %d, %v, want %d", n, err, want)
		}
	}
}

func TestOptionalFields(t *testing.T) {
	c, ctx := newServer(t).dial(t, nil), context.Background()
	key := []byte("bob")
	absent := &clientlib.PutOpts{ExpectedVersion: optional.NewUint64(0)}
	v, err := c.Put(ctx, key, []byte("new"), absent)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Put(ctx, key, []byte("again"), absent)
	if !errors.Is(err, clientlib.ErrVersionMismatch) {
		t.Fatalf("put if absent of a present record: %v", err)
	}
	wrong := &clientlib.DeleteOpts{ExpectedVersion: optional.NewUint64(uint64(v) + 1)}
	if err := c.Delete(ctx, key, wrong); !errors.Is(err, clientlib.ErrVersionMismatch) {
		t.Fatalf("delete of another version: %v", err)
	}
	zero := &clientlib.DeleteOpts{ExpectedVersion: optional.NewUint64(0)}
	if err := c.Delete(ctx, key, zero); !errors.Is(err, clientlib.ErrBadRequest) {
		t.Fatalf("delete of version 0: %v", err)
	}
	right := &clientlib.DeleteOpts{ExpectedVersion: optional.NewUint64(uint64(v))}
	if err := c.Delete(ctx, key, right); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	c, ctx := newServer(t).dial(t, nil), context.Background()
	long := bytes.Repeat([]byte("k"), wire.MaxKeySize+1)
	put := func(key, value []byte) error { _, err := c.Put(ctx, key, value, nil); return err }
	get := func(key string) error { _, err := c.Get(ctx, []byte(key)); return err }
	incr := func(key string) error { _, err := c.Increment(ctx, []byte(key), 1); return err }
	if err := put([]byte("text"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		err  error
		want error
		text string
	}{
		{get("nobody"), clientlib.ErrNotFound, `GET users/"nobody": not found`},
		{get(""), clientlib.ErrBadRequest, `GET users/"": bad request: empty key`},
		{incr("text"), clientlib.ErrNotANumber,
			`INCREMENT users/"text": record is not an 8-byte integer`},
		{put(long, nil), clientlib.ErrTooLarge,
			fmt.Sprintf(`PUT users/%q...: too large: key of 1025 bytes, at most 1024`, long[:64])},
		{put([]byte("k"), make([]byte, wire.MaxRecordSize)), clientlib.ErrTooLarge,
			`PUT users/"k": too large: key of 1 and value of 1248 bytes, at most 1248 together`},
	} {
		if !errors.Is(test.err, test.want) || test.err.Error() != test.text {
			t.Errorf("%v\nwant %s", test.err, test.text)
		}
	}
}

func TestKeyspacesShareASession(t *testing.T) {
	s := newServer(t)
	c, ctx := s.dial(t, nil), context.Background()
	other, err := c.Keyspace(ctx, sessions.Name)
	if err != nil || other.Descriptor() != sessions {
		t.Fatalf("%v, %v", other, err)
	}
	if _, err := other.Put(ctx, []byte("k"), []byte("v"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(ctx, []byte("k")); !errors.Is(err, clientlib.ErrNotFound) {
		t.Fatalf("keyspaces are not apart: %v", err)
	}
	if _, err := c.Keyspace(ctx, "nowhere"); !errors.Is(err, clientlib.ErrNoKeyspace) {
		t.Fatalf("unknown keyspace: %v", err)
	}
	for _, err := range other.Scan(ctx, nil, nil, nil) {
		if !errors.Is(err, clientlib.ErrUnsupported) {
			t.Fatalf("scan of a hash-partitioned keyspace: %v", err)
		}
	}
}

// fill stores records "key-0000" and so on with values of the given size.
func fill(s *server, count, size int) {
	s.with(func(store *teststore.Store) {
		for i := range count {
			store.Put(users.ID, fmt.Sprintf("key-%04d", i), string(bytes.Repeat([]byte{'v'}, size)))
		}
	})
}

func cuts(keys ...string) (out []kv.IndexKey) {
	for _, k := range keys {
		out = append(out, kv.RangePartitioned.IndexKey([]byte(k)))
	}
	return out
}

func TestScanAcrossSubRanges(t *testing.T) {
	s := newServer(t)
	fill(s, 1000, 50)
	s.with(func(store *teststore.Store) {
		store.Cuts = cuts("key-0003", "key-0005", "key-01", "key-02", "key-0300", "key-0777", "z")
	})
	c := s.dial(t, nil)
	for _, test := range []struct {
		start, end  string
		limit       int32
		first, last int // keys
	}{
		{"", "", 0, 0, 999},
		{"key-0001", "key-0009", 0, 1, 8},
		{"key-0500", "", 10, 500, 509},
		{"key-0100", "key-0300", 0, 100, 299},
		{"key-01", "key-01005", 0, 100, 100},
		{"key-0290", "key-0800", 500, 290, 789},
	} {
		opts := &clientlib.ScanOpts{Limit: optional.NewInt32(test.limit)}
		next := test.first
		for r, err := range c.Scan(context.Background(), []byte(test.start), []byte(test.end), opts) {
			if err != nil {
				t.Fatalf("%+v: %v", test, err)
			}
			if want := fmt.Sprintf("key-%04d", next); string(r.Key) != want {
				t.Fatalf("%+v: got %s, want %s", test, r.Key, want)
			}
			next++
		}
		if next != test.last+1 {
			t.Fatalf("%+v: ended before %d", test, next)
		}
	}
}

func TestScanStopsWhenTheCallerDoes(t *testing.T) {
	s := newServer(t)
	fill(s, 100, 50)
	c := s.dial(t, nil)
	before := c.Stats().Requests
	for range c.Scan(context.Background(), nil, nil, nil) {
		break
	}
	if n := c.Stats().Requests - before; n != 1 {
		t.Fatalf("%d requests for one record", n)
	}
}

func TestBatch(t *testing.T) {
	c, ctx := newServer(t).dial(t, nil), context.Background()
	b := c.NewBatch()
	for round := range 3 {
		b.Reset()
		for i := range 200 {
			b.Put(fmt.Appendf(nil, "%d", i), fmt.Appendf(nil, "%d-%d", round, i), nil)
		}
		if err := b.Do(ctx); err != nil {
			t.Fatal(err)
		}
		b.Reset()
		for i := range 200 {
			if at := b.Get(fmt.Appendf(nil, "%d", i)); at != i {
				t.Fatalf("index %d, want %d", at, i)
			}
		}
		missing := b.Get([]byte("missing"))
		empty := b.Get(nil)
		if err := b.Do(ctx); !errors.Is(err, clientlib.ErrNotFound) {
			t.Fatalf("first error: %v", err)
		}
		for i := range 200 {
			if got, want := string(b.Result(i).Value), fmt.Sprintf("%d-%d", round, i); got != want {
				t.Fatalf("result %d: %q, want %q", i, got, want)
			}
		}
		if !errors.Is(b.Result(missing).Err, clientlib.ErrNotFound) ||
			!errors.Is(b.Result(empty).Err, clientlib.ErrBadRequest) || b.Len() != 202 {
			t.Fatalf("%v, %v, %d", b.Result(missing).Err, b.Result(empty).Err, b.Len())
		}
	}
}

func TestBatchOfAllKinds(t *testing.T) {
	c, ctx := newServer(t).dial(t, nil), context.Background()
	b := c.NewBatch()
	if err := b.Do(ctx); err != nil {
		t.Fatalf("empty batch: %v", err)
	}
	b.Put([]byte("a"), []byte("1"), nil)
	b.Increment([]byte("n"), 3)
	b.CompareAndSwap([]byte("c"), 0, []byte("new"))
	gone := b.Delete([]byte("nothing"), nil)
	if err := b.Do(ctx); !errors.Is(err, clientlib.ErrNotFound) || err != b.Result(gone).Err {
		t.Fatalf("first error: %v", err)
	}
	if n := b.Result(1).Number; n != 3 {
		t.Fatalf("increment: %d", n)
	}
	if r, err := c.Get(ctx, []byte("c")); err != nil || string(r.Value) != "new" {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestWhatNodesRefuse(t *testing.T) {
	s := newServer(t)
	c, ctx := s.dial(t, nil), context.Background()
	get := func() error { _, err := c.Get(ctx, []byte("k")); return err }
	put := func() error { _, err := c.Put(ctx, []byte("k"), nil, nil); return err }
	for _, test := range []struct {
		status wire.Status
		op     func() error
		want   []error
	}{
		{wire.StatusInternal, get, []error{clientlib.ErrInternal}},
		{wire.StatusInternal, put, []error{clientlib.ErrOutcomeUnknown, clientlib.ErrInternal}},
		{wire.StatusBadRequest, put, []error{clientlib.ErrBadRequest}},
		{wire.StatusTooLarge, put, []error{clientlib.ErrTooLarge}},
		{wire.StatusNoKeyspace, get, []error{clientlib.ErrNoKeyspace}},
		{wire.StatusSessionExpired, put, []error{clientlib.ErrOutcomeUnknown}},
		{wire.Status(99), get, []error{clientlib.ErrInternal}},
	} {
		s.with(func(store *teststore.Store) {
			store.Refuse = func(wire.Packet) teststore.Refusal {
				return teststore.Refusal{Status: test.status}
			}
		})
		err := test.op()
		for _, want := range test.want {
			if !errors.Is(err, want) {
				t.Errorf("%v: %v, want %v", test.status, err, want)
			}
		}
		var op *clientlib.OpError
		if !errors.As(err, &op) || string(op.Key) != "k" || op.Keyspace != users.Name {
			t.Errorf("%v: %+v", test.status, op)
		}
	}
}

func TestScanArguments(t *testing.T) {
	c := newServer(t).dial(t, nil)
	long := make([]byte, wire.MaxKeySize+1)
	for _, test := range []struct {
		start, end    []byte
		limit, budget int32
		want          error
	}{
		{nil, nil, -1, 1, clientlib.ErrBadRequest},
		{nil, nil, 1, -1, clientlib.ErrBadRequest},
		{nil, nil, 1, 256, clientlib.ErrBadRequest},
		{long, nil, 1, 1, clientlib.ErrTooLarge},
		{nil, long, 1, 1, clientlib.ErrTooLarge},
		{[]byte("b"), []byte("a"), 1, 1, nil}, // empty
	} {
		opts := &clientlib.ScanOpts{
			Limit: optional.NewInt32(test.limit), Budget: optional.NewInt32(test.budget),
		}
		var got error
		for _, err := range c.Scan(context.Background(), test.start, test.end, opts) {
			got = err
		}
		if !errors.Is(got, test.want) {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestFutures(t *testing.T) {
	c, ctx := newServer(t).dial(t, nil), context.Background()
	key := []byte("k")
	put := c.StartPut(ctx, key, []byte("v"), nil).Wait(ctx)
	if put.Err != nil || put.Latency <= 0 {
		t.Fatalf("%+v", put)
	}
	get := c.StartGet(ctx, key).Wait(ctx)
	if get.Err != nil || string(get.Value) != "v" || get.Version != put.Version {
		t.Fatalf("%+v", get)
	}
	cas := c.StartCompareAndSwap(ctx, key, put.Version, wire.AppendNumber(nil, 40)).Wait(ctx)
	if cas.Err != nil {
		t.Fatal(cas.Err)
	}
	if r := c.StartIncrement(ctx, key, 2).Wait(ctx); r.Err != nil || r.Number != 42 {
		t.Fatalf("%+v", r)
	}
	if r := c.StartDelete(ctx, key, nil).Wait(ctx); r.Err != nil {
		t.Fatal(r.Err)
	}
}
