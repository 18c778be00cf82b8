package clientlib

import (
	"context"
	"iter"
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
	panic("next")
}
