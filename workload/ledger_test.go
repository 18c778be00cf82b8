package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const testSize = 40

// book runs a script of events on record 1: "b1" begins write 1, "a1" acknowledges it, "u1" ends
// it unknown, "f1" failed; "d1" begins delete 1.
func book(t *testing.T, script string) (*Ledger, map[byte]Write) {
	t.Helper()
	l, writes := NewLedger(Records{}), map[byte]Write{}
	for event := range strings.FieldsSeq(script) {
		name := event[1]
		switch event[0] {
		case 'b':
			writes[name] = l.Begin(1, testSize, false)
		case 'd':
			writes[name] = l.Begin(1, 0, true)
		case 'a':
			l.End(writes[name], Acknowledged)
		case 'u':
			l.End(writes[name], Unknown)
		case 'f':
			l.End(writes[name], Failed)
		default:
			t.Fatalf("event %q", event)
		}
	}
	return l, writes
}

func TestLedgerJudges(t *testing.T) {
	for _, c := range []struct {
		script  string
		allowed string // writes that the record may hold; '-' for absence
	}{
		{"b1 a1", "1"},
		{"b1 a1 b2 a2", "2"},         // superseded
		{"b1 b2 a1 a2", "12"},        // concurrent: either order
		{"b1 b2 a2 a1 b3 a3", "3"},   // a later write supersedes both
		{"b1 b2 a1 b3 a3 a2", "23"},  // 1 ended before 3 began, 2 did not
		{"b1 a1 b2 u2", "12"},        // in doubt
		{"b1 u1 b2 a2", "12"},        // what is in doubt may still come
		{"b1 a1 b2 f2", "1"},         // surely failed
		{"b1 a1 d2 a2", "-"},         // deleted
		{"b1 a1 d2 u2", "1-"},        // perhaps deleted
		{"b1 a1 d2 b3 a2 a3", "3-"},  // delete and write at once
		{"b1 a1 d2 a2 b3 a3", "3"},   // written again
		{"b1 b2 b3 a3 a1 a2", "123"}, // all concurrent
	} {
		l, writes := book(t, c.script)
		err := l.Check(1, nil, false)
		if allowed := strings.Contains(c.allowed, "-"); (err == nil) != allowed {
			t.Errorf("%s: absence allowed %v, got %v", c.script, allowed, err)
		}
		for name, w := range writes {
			if w.Delete {
				continue
			}
			err := l.Check(1, Records{}.Value(nil, 1, w.Version, testSize), true)
			if allowed := strings.Contains(c.allowed, string(name)); (err == nil) != allowed {
				t.Errorf("%s: write %c allowed %v, got %v", c.script, name, allowed, err)
			}
		}
	}
}

func TestLedgerFindsDamage(t *testing.T) {
	l, writes := book(t, "b1 a1")
	value := Records{}.Value(nil, 1, writes['1'].Version, testSize)
	for i := range value {
		damaged := slices.Clone(value)
		damaged[i] ^= 1
		if l.Check(1, damaged, true) == nil {
			t.Errorf("a flipped bit in byte %d is not found", i)
		}
	}
	if l.Check(1, value[:testSize-1], true) == nil {
		t.Error("a cut value is not found")
	}
	other := Records{}.Value(nil, 2, writes['1'].Version, testSize)
	if l.Check(1, other, true) == nil {
		t.Error("the value of another record is not found")
	}
}

func TestLedgerKnowsNothingWithoutAnAcknowledgement(t *testing.T) {
	l, _ := book(t, "b1 u1")
	for _, found := range []bool{true, false} {
		if err := l.Check(1, []byte("from before"), found); err != nil {
			t.Errorf("found %v: %v", found, err)
		}
	}
}

func TestLedgerSumsCounters(t *testing.T) {
	l := NewLedger(Records{})
	for range 5 {
		l.Add(1, 1, Acknowledged)
	}
	l.Add(1, 1, Unknown)
	l.Add(1, 1, Failed)
	for sum, right := range map[byte]bool{4: false, 5: true, 6: true, 7: false} {
		if err := l.Check(1, []byte{0, 0, 0, 0, 0, 0, 0, sum}, true); (err == nil) != right {
			t.Errorf("sum %d: right %v, got %v", sum, right, err)
		}
	}
	if l.Check(1, nil, false) == nil {
		t.Error("a lost counter is not found")
	}
	if l.Check(1, []byte{5}, true) == nil {
		t.Error("a counter of one byte is not found")
	}
}

// register is an atomic register with a history: the slow and obvious twin of the ledger's rule.
type register struct{ value uint32 }

// A random history of an atomic register always passes, whatever overlaps.
func TestLedgerAcceptsEveryAtomicRegister(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		l, store := NewLedger(Records{}), register{}
		var open []Write
		applied := map[uint32]bool{}
		for range 30 {
			switch at := r.IntN(3); {
			case at == 0 || len(open) == 0:
				open = append(open, l.Begin(1, testSize, false))
			case at == 1: // takes effect, once
				if w := open[r.IntN(len(open))]; !applied[w.Version] {
					store.value, applied[w.Version] = w.Version, true
				}
			default: // ends
				i := r.IntN(len(open))
				w := open[i]
				open = slices.Delete(open, i, i+1)
				l.End(w, endOf(r, applied[w.Version]))
			}
		}
		for _, w := range open {
			l.End(w, Unknown)
		}
		var value []byte
		if store.value > 0 {
			value = Records{}.Value(nil, 1, store.value, testSize)
		}
		if err := l.Check(1, value, store.value > 0); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// endOf draws an honest outcome.
func endOf(r *rand.Rand, applied bool) Outcome {
	switch {
	case r.IntN(4) == 0:
		return Unknown
	case applied:
		return Acknowledged
	}
	return Failed
}

func TestLedgerListsWhatIsWritten(t *testing.T) {
	l := NewLedger(Records{})
	for n := range Record(500) {
		l.End(l.Begin(n, 10, false), Acknowledged)
	}
	l.End(l.Begin(1000, 10, false), Failed)
	l.Add(2000, 1, Acknowledged)
	seen := map[Record]bool{}
	for n := range l.Records {
		seen[n] = true
	}
	if len(seen) != 501 || l.Len() != 501 || seen[1000] || !seen[2000] {
		t.Errorf("%d records listed, Len %d", len(seen), l.Len())
	}
}

func TestViolationsAreSpelledOut(t *testing.T) {
	l, writes := book(t, "b1 a1 b2 a2 b3 u3")
	err := l.Check(1, Records{}.Value(nil, 1, writes['1'].Version, testSize), true)
	want := fmt.Sprintf("record 1 holds version %d; allowed: version %d, version %d (in doubt)",
		writes['1'].Version, writes['2'].Version, writes['3'].Version)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
