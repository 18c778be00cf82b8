package bbolt

import (
	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"
)

// overlay holds updates that the file does not have yet, in key order. A nil overlay is empty.
type overlay struct{ updates btree.Map[string, update] }

// update is the latest state of a record: a value, or its absence.
type update struct {
	value   []byte
	deleted bool
}

func newOverlay() *overlay { return &overlay{} }

func (o *overlay) empty() bool { return o.updates.Len() == 0 }

// get returns the state of a record; known is false if the overlay does not say.
func (o *overlay) get(key []byte) (u update, known bool) {
	if o == nil {
		return update{}, false
	}
	return o.updates.Get(string(key))
}

func (o *overlay) put(key, value []byte) {
	o.updates.Set(string(key), update{value: append([]byte{}, value...)})
}

func (o *overlay) delete(key []byte) { o.updates.Set(string(key), update{deleted: true}) }

// writeTo carries the updates into the file, in key order.
func (o *overlay) writeTo(b *bbolt.Bucket) (err error) {
	o.updates.Scan(func(key string, u update) bool {
		if u.deleted {
			err = b.Delete([]byte(key))
		} else {
			err = b.Put([]byte(key), u.value)
		}
		return err == nil
	})
	return err
}
