package serverlib

// Engine is an ordered store of byte strings below one storage node. It knows nothing of
// keyspaces, versions or chains: the Server gives it complete keys.
//
// Get, Scan and Apply are called from one goroutine at a time; Sync may run beside them.
// Slices passed to Apply and to yield belong to the caller and callee only during the call.
type Engine interface {
	// Get appends the value stored under key to dst; ok is false, and dst unchanged, if there is
	// none.
	Get(key, dst []byte) (value []byte, ok bool, err error)
	// Scan calls yield for each pair with start <= key < end in ascending byte order until yield
	// returns false. An empty end means no upper bound.
	Scan(start, end []byte, yield func(key, value []byte) bool) error
	// Apply makes all operations of b visible at once, in their order. They become durable with
	// the next Sync: a crash before it loses any number of the newest batches, but never part of
	// one and never one from the middle.
	Apply(b *Batch) error
	// Sync returns when everything applied before the call is on stable storage. An engine that
	// has none returns nil at once and says so in Persistent.
	Sync() error
	// Persistent reports whether Sync means anything: only such an engine may hold sub-ranges
	// whose durability is sync.
	Persistent() bool
	// Close syncs and releases the engine.
	Close() error
}

// Sized is an Engine that knows how much room its records take.
type Sized interface {
	// Size returns the memory or disk space of what is stored, in bytes, as far as the engine
	// knows; what was removed counts until it is reused or collected. It is called like Get.
	Size() int64
}

// OpKind says what an operation of a Batch does.
type OpKind uint8

// The operations of a Batch.
const (
	OpPut         OpKind = iota + 1 // store Value under Key
	OpDelete                        // remove Key if it is there
	OpDeleteRange                   // remove all keys with Key <= k < Value
)

// Op is one operation of a Batch.
type Op struct {
	Kind       OpKind
	Key, Value []byte
}

// Batch collects operations that Apply makes visible atomically. Its slices point into one buffer
// that Reset reuses, so a Batch that lives long allocates nothing.
type Batch struct {
	ops []opSpan
	buf []byte
}

// opSpan is an operation as offsets, so that growing the buffer does not move it.
type opSpan struct {
	kind       OpKind
	key, value int // lengths
	at         int // offset of the key in buf; the value follows
}

// Put adds an operation that stores a copy of value under a copy of key.
func (b *Batch) Put(key, value []byte) { b.add(OpPut, key, value) }

// Delete adds an operation that removes key.
func (b *Batch) Delete(key []byte) { b.add(OpDelete, key, nil) }

// DeleteRange adds an operation that removes all keys with start <= key < end.
func (b *Batch) DeleteRange(start, end []byte) { b.add(OpDeleteRange, start, end) }

func (b *Batch) add(kind OpKind, key, value []byte) {
	b.ops = append(b.ops, opSpan{kind: kind, key: len(key), value: len(value), at: len(b.buf)})
	b.buf = append(append(b.buf, key...), value...)
}

// Len returns the number of operations.
func (b *Batch) Len() int { return len(b.ops) }

// Op returns operation i, 0 to Len()-1. Its slices are valid until the next change of the batch.
func (b *Batch) Op(i int) Op {
	o := b.ops[i]
	key := b.buf[o.at : o.at+o.key : o.at+o.key]
	value := b.buf[o.at+o.key : o.at+o.key+o.value : o.at+o.key+o.value]
	return Op{Kind: o.kind, Key: key, Value: value}
}

// Size returns the bytes of all keys and values together.
func (b *Batch) Size() int { return len(b.buf) }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.ops, b.buf = b.ops[:0], b.buf[:0] }
