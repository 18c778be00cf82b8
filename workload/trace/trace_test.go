package trace

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/turbokv/turbokv/wire"
	"github.com/turbokv/turbokv/workload"
)

// count reads a whole trace and adds up its requests by kind.
func count(t *testing.T, r *Reader) (kinds [workload.OpKinds]uint64, rows int) {
	t.Helper()
	for {
		var q Request
		err := r.Next(&q)
		if errors.Is(err, io.EOF) {
			return kinds, rows
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[q.Kind] += q.Count
		rows++
	}
}

// Every sample has another layout; the counts were added up by hand from its op_count column.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		file, format                      string
		rows                              int
		reads, updates, deletes, counters uint64
	}{
		{"twitter.csv", "twitter", 12, 3, 6, 1, 2},
		{"cachelib_202206.csv", "cachelib", 4, 5, 1, 1, 0},
		{"cachelib_202210.csv", "cachelib", 3, 5, 2, 0, 0},
		{"cachelib_202312.csv", "cachelib", 3, 3, 1, 0, 0},
		{"cachelib_202401.csv", "cachelib", 4, 24, 1, 1, 0},
		{"cachelib_reordered.csv", "cachelib", 2, 2, 1, 0, 0},
	} {
		f, err := OpenFile(filepath.Join("testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		kinds, rows := count(t, f.Reader)
		got := fmt.Sprint(f.Format(), rows, kinds[workload.Read], kinds[workload.Update],
			kinds[workload.Delete], kinds[workload.Increment])
		want := fmt.Sprint(c.format, c.rows, c.reads, c.updates, c.deletes, c.counters)
		if got != want {
			t.Errorf("%s: got %s, want %s", c.file, got, want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTwitterKeysMayHoldCommas(t *testing.T) {
	r, err := Open(strings.NewReader("7,c,a:b,5,12,3,replace,60\n"))
	if err != nil {
		t.Fatal(err)
	}
	var q Request
	if err := r.Next(&q); err != nil {
		t.Fatal(err)
	}
	want := Request{
		Second: 7, Key: []byte("c,a:b"), KeySize: 5, ValueSize: 12, Kind: workload.Update, Count: 1,
	}
	if fmt.Sprint(q) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", q, want)
	}
}

func TestMalformedTracesNameTheLine(t *testing.T) {
	const header = "key,op,size,op_count,key_size\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty"},
		{"prose", "hello\n", "neither a CacheLib header nor a Twitter request"},
		{"header without op", "key,size\n", "must name at least the columns key and op"},
		{"short row", header + "1,GET,3\n", "line 2: malformed trace: 3 columns, the header has 5"},
		{"unknown op", header + "1,POKE,3,1,8\n", `line 2: malformed trace: operation "POKE"`},
		{"negative size", header + "1,GET,-3,1,8\n", `line 2: malformed trace: size "-3"`},
		{"no requests", header + "1,GET,3,0,8\n", "op_count of 0"},
		{"too many requests", header + "1,GET,3,9999999999,8\n", `op_count "9999999999"`},
		{"second line", "0,k,1,1,1,get,0\n0,k,1,1,get,0\n", "line 2:"},
		{"long line", strings.Repeat("x", maxLine+1), "longer than"},
	} {
		err := drain(strings.NewReader(c.text))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// drain reads a trace to its end or first error.
func drain(text io.Reader) error {
	r, err := Open(text)
	var q Request
	for err == nil {
		err = r.Next(&q)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestCompressedFiles(t *testing.T) {
	plain, err := os.ReadFile(filepath.Join("testdata", "twitter.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for suffix, compress := range map[string]func(io.Writer) io.WriteCloser{
		".gz": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		".zst": func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return z
		},
	} {
		var packed bytes.Buffer
		z := compress(&packed)
		if _, err := z.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "trace.csv"+suffix)
		if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, rows := count(t, f.Reader); rows != 12 {
			t.Errorf("%s: %d rows, want 12", suffix, rows)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func replayOf(t *testing.T, text string) (ops []workload.Op, p *Replay) {
	t.Helper()
	r, err := Open(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	p = NewReplay(r)
	for {
		var op workload.Op
		if !p.Next(&op) {
			return ops, p
		}
		ops = append(ops, op)
		p.Done(&op)
	}
}

func TestReplayExpandsCounts(t *testing.T) {
	ops, p := replayOf(t, "key,op,size,op_count,key_size\n7,GET,5,21,10\n7,SET,5,2,10\n8,GET,0,3,10\n")
	if len(ops) != 26 || p.Err() != nil {
		t.Fatalf("%d requests, %v", len(ops), p.Err())
	}
	s := p.Stats()
	if s.Requests != 26 || s.Rows != 3 || s.Misses != 3 || s.Written != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestReplayCutsWhatDoesNotFit(t *testing.T) {
	ops, p := replayOf(t, fmt.Sprintf("0,k,10,%d,1,set,0\n0,k,10,%d,1,set,0\n0,l,%d,5,1,get,0\n",
		wire.MaxRecordSize-10, wire.MaxRecordSize-9, wire.MaxKeySize+1))
	for i, size := range []int{wire.MaxRecordSize - 10, wire.MaxRecordSize - 10, 0} {
		if ops[i].Size != size {
			t.Errorf("request %d: value of %d bytes, want %d", i, ops[i].Size, size)
		}
	}
	if s := p.Stats(); s.CutValues != 1 || s.CutKeys != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestReplayKeepsCountersApart(t *testing.T) {
	ops, p := replayOf(t, "0,n,1,4,1,set,0\n0,n,1,0,1,incr,0\n0,n,1,4,1,get,0\n")
	if string(ops[0].Key) != "n" || string(ops[1].Key) != "#n" || string(ops[2].Key) != "n" {
		t.Errorf("keys %q %q %q", ops[0].Key, ops[1].Key, ops[2].Key)
	}
	if ops[0].Record == ops[1].Record || string(p.Key(nil, ops[1].Record)) != "#n" {
		t.Error("a counter shares the record of its name")
	}
}

func TestKeysKeepTheirSizeAndStayDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, key := range []string{"a", "ab", strings.Repeat("k", 30), strings.Repeat("k", 31)} {
		for _, size := range []int{8, 16, 25, 40} {
			got := string(appendKey(nil, []byte(key), size))
			if len(got) != size {
				t.Errorf("key %q at size %d: %d bytes", key, size, len(got))
			}
			if other, taken := seen[got]; taken && other != key {
				t.Errorf("keys %q and %q both became %q", key, other, got)
			}
			seen[got] = key
		}
	}
}

func TestReplayTellsWhereItStopped(t *testing.T) {
	ops, p := replayOf(t, "0,k,1,1,1,get,0\n0,k,1,x,1,get,0\n0,k,1,1,1,get,0\n")
	err := p.Err()
	if len(ops) != 1 || !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%d requests, %v", len(ops), p.Err())
	}
}

func FuzzOpen(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.csv"))
	if err != nil || len(files) == 0 {
		f.Fatal("no samples", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Open(bytes.NewReader(text))
		if err != nil {
			return
		}
		p := NewReplay(r)
		var op workload.Op
		for range 1000 {
			if !p.Next(&op) {
				break
			}
			if len(op.Key) == 0 || len(op.Key) > wire.MaxKeySize ||
				len(op.Key)+op.Size > wire.MaxRecordSize || op.Size < 0 {
				t.Fatalf("operation out of bounds: key of %d, value of %d", len(op.Key), op.Size)
			}
		}
		if err := p.Err(); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	})
}
