package clientlib

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/turbokv/turbokv/clientlib/session"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// Scan returns the records with start <= key < end in the order of their keys. An empty end stands
// for the end of the keyspace, an empty start for its beginning. Every request of the scan sees
// acknowledged state, but the scan as a whole is no snapshot. The last pair may carry an error,
// which wraps ErrUnsupported in a hash-partitioned keyspace. Each request of the scan has the
// Client's timeout for itself if ctx has no deadline.
//
//	for record, err := range client.Scan(ctx, []byte("user:"), []byte("user;"), nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Printf("%s = %s\n", record.Key, record.Value)
//	}
func (c *Client) Scan(
	ctx context.Context, start, end []byte, opts *ScanOpts,
) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s, err := c.newScan(start, end, opts)
		if err != nil {
			yield(Record{}, &OpError{wire.OpScan, c.desc.Name, bytes.Clone(start), err})
			return
		}
		for !s.done {
			records, err := s.nextPage(ctx)
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
		}
	}
}

// scan is the progress of a Scan.
type scan struct {
	client    *Client
	next, end []byte
	left      int  // records; MaxInt for no limit
	budget    int  // as wanted
	narrow    bool // the next page is expected to end inside a sub-range
	done      bool
}

func (c *Client) newScan(start, end []byte, opts *ScanOpts) (*scan, error) {
	if opts == nil {
		opts = &ScanOpts{}
	}
	limit := int(opts.Limit.Default(0))
	budget := int(opts.Budget.Default(int32(c.config.ScanBudget)))
	switch {
	case c.desc.Partitioner != kv.RangePartitioned:
		return nil, fmt.Errorf("%w: it is partitioned by %v", ErrUnsupported, c.desc.Partitioner)
	case limit < 0:
		return nil, fmt.Errorf("%w: limit of %d records", ErrBadRequest, limit)
	case budget < 0 || budget > maxScanBudget:
		return nil, fmt.Errorf("%w: budget %d: must be 0 to %d", ErrBadRequest, budget, maxScanBudget)
	case len(start) > wire.MaxKeySize || len(end) > wire.MaxKeySize:
		return nil, fmt.Errorf("%w: bound of more than %d bytes", ErrTooLarge, wire.MaxKeySize)
	}
	if limit == 0 {
		limit = math.MaxInt
	}
	return &scan{
		client: c, next: bytes.Clone(start), end: bytes.Clone(end), left: limit, budget: budget,
		narrow: limit < math.MaxInt && !opts.Budget.IsSet(),
		done:   len(end) > 0 && bytes.Compare(start, end) >= 0,
	}, nil
}

// nextPage reads on where the last page ended.
func (s *scan) nextPage(ctx context.Context) ([]Record, error) {
	c := s.client
	k := c.newCall(s.request())
	now := c.driver.now()
	k.request.Deadline = c.deadline(ctx, now)
	c.driver.submit(ctx, now, k)
	c.driver.wait(ctx, k)
	p, err := k.page, k.result.Err
	c.driver.free(k)
	if err != nil {
		return nil, err
	}
	s.left -= len(p.records)
	s.next, s.narrow = p.next, p.more
	s.done = p.done || s.left <= 0 || len(s.end) > 0 && bytes.Compare(s.next, s.end) >= 0
	return p.records, nil
}

// request asks for the next page. Inside a sub-range that has more records than fit a packet,
// pieces of further ones would come too early to be of use; and a limit is usually reached in the
// first sub-range, or else the next request goes wide.
func (s *scan) request() session.Request {
	r := s.client.request(wire.OpScan, s.next, nil)
	r.End = s.end
	if !s.narrow {
		r.Budget = uint8(s.budget)
	}
	if s.left < math.MaxInt {
		r.Limit = uint16(min(s.left, math.MaxUint16))
	}
	return r
}

// page is a copy of a session.Page that outlives it.
type page struct {
	records    []Record
	next       []byte
	done, more bool
}

// take copies p, the records into one piece of memory.
func (c *page) take(p *session.Page) {
	count, size := 0, 0
	p.Each(func(r wire.ScanRecord) {
		count++
		size += len(r.Key) + len(r.Value)
	})
	c.records, c.next = make([]Record, 0, count), bytes.Clone(p.Next)
	c.done, c.more = p.Done, p.More
	memory := make([]byte, 0, size)
	own := func(b []byte) []byte {
		n := len(memory)
		memory = append(memory, b...)
		return memory[n:len(memory):len(memory)]
	}
	p.Each(func(r wire.ScanRecord) {
		c.records = append(c.records, Record{Key: own(r.Key), Value: own(r.Value), Version: r.Version})
	})
}
