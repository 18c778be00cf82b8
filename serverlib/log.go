package serverlib

import (
	"encoding/binary"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

// A value is written twice for each update, once in the record and once in the log, unless the log
// row leaves it out: as long as the update is the newest of its record, the record has it. When an
// update overwrites one that may still have to be sent again, the log row of that one is written
// anew with its value, in the batch that overwrites the record.

// valueInRecord is the bit of a log row's stable mark that says that the entry's value stands in
// the record and not behind the entry.
const valueInRecord = 1 << 63

// newestOf finds the newest update of a key among those that are not stable, by the hash of the key.
// Keys that share a place pass for the same: then a log row is written anew for nothing.
type newestOf [512]kv.Seq

// exchange notes an update of the key and returns the one before.
func (n *newestOf) exchange(key []byte, seq kv.Seq) (before kv.Seq) {
	place := &n[xxh3.Hash(key)%uint64(len(n))]
	before, *place = *place, seq
	return before
}

// logEntry stores the entry for retransmission after a restart, with the stable mark of the moment,
// which a restarted tail may trust. key is that of the record that it changes here, if any.
func (r *replica) logEntry(seq kv.Seq, key []byte, e wire.ChainEntry) {
	inRecord := false
	if len(key) > 0 {
		inRecord = e.Effect() == wire.EffectPut && e.Op() != wire.OpIncrement
		if before := r.noteNewest(key, seq); before > r.chain.Stable() {
			r.putLogRow(before, r.chain.Entry(before), false)
		}
	}
	r.putLogRow(seq, e, inRecord)
	r.store.wantSync(r)
}

func (r *replica) noteNewest(key []byte, seq kv.Seq) (before kv.Seq) {
	if r.recent == nil {
		r.recent = new(newestOf)
	}
	return r.recent.exchange(key, seq)
}

func (r *replica) putLogRow(seq kv.Seq, e wire.ChainEntry, withoutValue bool) {
	mark := uint64(r.chain.Stable())
	if withoutValue {
		mark |= valueInRecord
		e = e[:len(e)-len(e.Value())]
	}
	r.server.key = appendLogKey(r.server.key[:0], r.assignment.SubRange, seq)
	r.server.value = append(binary.BigEndian.AppendUint64(r.server.value[:0], mark), e...)
	r.store.batch.Put(r.server.key, r.server.value)
}

// loadEntry replays an entry of the log on the sessions; records have it already.
func (r *replica) loadEntry(key, row []byte) error {
	if len(key) != 8 || len(row) < 8 {
		return fmt.Errorf("%w: log", ErrCorrupt)
	}
	seq, mark := kv.Seq(binary.BigEndian.Uint64(key)), binary.BigEndian.Uint64(row)
	e, err := r.entryOf(seq, row[8:], mark&valueInRecord != 0)
	if err != nil {
		return err
	}
	if seq != r.chain.Applied()+1 {
		return fmt.Errorf("%w: log entry %d after %d", ErrCorrupt, seq, r.chain.Applied())
	}
	r.chain.Load(e, kv.Seq(mark&^valueInRecord))
	r.remember(seq, e)
	if key := r.changedKey(e); len(key) > 0 {
		r.noteNewest(key, seq)
	}
	return nil
}

// entryOf returns the entry of a log row, with the value from the record if it stands there. A
// record that has been overwritten since tells that the entry is stable: nobody will ask for its
// value again, and it is left empty. So is that of a record which belongs to the other half of a
// split since: nobody in this half will store it.
func (r *replica) entryOf(seq kv.Seq, stored []byte, inRecord bool) (wire.ChainEntry, error) {
	if inRecord {
		var err error
		if stored, err = r.completeEntry(seq, stored); err != nil {
			return nil, err
		}
	}
	e, rest, ok := wire.CutChainEntry(stored)
	if !ok || len(rest) != 0 {
		return nil, fmt.Errorf("%w: log entry %d", ErrCorrupt, seq)
	}
	return e, nil
}

func (r *replica) completeEntry(seq kv.Seq, stored []byte) ([]byte, error) {
	e, ok := wire.CutChainEntryWithoutValue(stored)
	if !ok {
		return nil, fmt.Errorf("%w: log entry %d without value", ErrCorrupt, seq)
	}
	if r.owns(e.Key()) {
		row, found, err := r.store.engine.Get(r.recordKey(e.Key()), nil)
		if err != nil {
			return nil, fmt.Errorf("read record of log entry %d: %w", seq, err)
		}
		version, value, ok := cutRecord(row)
		if found && ok && version == kv.Version(seq) {
			return append(stored[:len(stored):len(stored)], value...), nil
		}
		r.valueless = seq
	}
	return wire.AppendChainEntry(nil, wire.ChainEntryFields{
		Op: e.Op(), Status: e.Status(), Effect: e.Effect(), Client: e.Client(), Sequence: e.Sequence(),
		Lowest: e.Lowest(), ClientAddr: e.ClientAddr(), Key: e.Key(),
	}), nil
}

// dropValueless cuts the log behind the last entry without its value. All members have these, but a
// learner could ask for them.
func (r *replica) dropValueless() {
	if r.chain != nil && r.valueless > r.chain.Base() {
		r.truncate(r.valueless)
	}
}

// checkLog refuses a log with an entry that may have to be sent again and has no value.
func (r *replica) checkLog() error {
	if r.valueless > r.chain.Stable() {
		return fmt.Errorf("%w: log entry %d is not stable and its value is overwritten", ErrCorrupt,
			r.valueless)
	}
	return nil
}
