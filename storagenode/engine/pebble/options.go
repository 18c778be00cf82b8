package pebble

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Sizes of an engine, in bytes. They suit a handful of nodes in one process as well as one per
// machine: the page cache of the kernel helps the small block cache, and package cached keeps the
// records in use.
const (
	defaultCache    = 16 << 20
	defaultMemTable = 16 << 20
)

// Options configures an engine. The zero value is right for a directory of the real file system.
type Options struct {
	FS            vfs.FS // the file system; nil is the operating system's
	CacheBytes    int64  // blocks of sorted tables kept in memory; 0 means 16 MiB
	MemTableBytes uint64 // updates collected before a table is written; 0 means 16 MiB
}

func (e *Engine) options(o Options) *pebble.Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = defaultMemTable
	}
	opts := &pebble.Options{
		FS: o.FS,
		// Pebble takes the tables in memory, of which there are mostly two, out of the cache.
		CacheSize:    o.CacheBytes + 2*int64(o.MemTableBytes),
		MemTableSize: o.MemTableBytes,
		// Up to four tables in memory may wait to be written out before Apply has to wait.
		MemTableStopWritesThreshold: 4,
		// Named, so that a newer library does not change files that an older one must read.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		// Between fsyncs the kernel writes back in small steps instead of one long stall.
		WALBytesPerSync: 512 << 10,
		Logger:          &e.fault,
		// Pebble would try again; a disk that refuses once is not one to promise durability on.
		EventListener: &pebble.EventListener{BackgroundError: func(err error) {
			_ = e.fault.set(fmt.Errorf("pebble background work: %w", err))
		}},
	}
	for i := range opts.Levels {
		// Ten bits per key: one in a hundred reads of an absent key looks at a table in vain.
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return opts
}
