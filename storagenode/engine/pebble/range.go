package pebble

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"github.com/turbokv/turbokv/serverlib"
)

// shortRange is the longest run of records that DeleteRange removes one by one. A range tombstone
// is cheaper to write than many deletions, but every tombstone makes all later reads of the
// table in memory slower until it is written out, and trimming a log writes them all the time.
const shortRange = 1024

// addDeleteRange adds the deletion of start <= key < end, operation at of b, to batch.
func (e *Engine) addDeleteRange(batch *pebble.Batch, b *serverlib.Batch, at int) error {
	op := b.Op(at)
	start, end := op.Key, op.Value
	if bytes.Compare(start, end) >= 0 {
		return nil // to Scan an empty end would mean no bound
	}
	found := 0
	var failed error
	err := e.Scan(start, end, func(key, _ []byte) bool {
		found++
		failed = batch.Delete(key, nil)
		return failed == nil && found <= shortRange
	})
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	case found > shortRange:
		return batch.DeleteRange(start, end, nil)
	}
	return addDeletes(batch, b, at)
}

// addDeletes deletes what the operations of b before at have put into the range of operation at;
// the store does not know them yet.
func addDeletes(batch *pebble.Batch, b *serverlib.Batch, at int) error {
	r := b.Op(at)
	for i := range at {
		op := b.Op(i)
		inside := bytes.Compare(op.Key, r.Key) >= 0 && bytes.Compare(op.Key, r.Value) < 0
		if op.Kind != serverlib.OpPut || !inside {
			continue
		}
		if err := batch.Delete(op.Key, nil); err != nil {
			return err
		}
	}
	return nil
}
