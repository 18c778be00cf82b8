package session

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/wire"
)

var rewrite = flag.Bool("rewrite", false, "write the observed output into the interaction files")

// TestInteraction runs the files of testdata/interaction: blocks of commands, a line "----", and
// what the session puts out, up to an empty line. Lines that start with # are comments.
//
//	new [window=N] [queue=N] [span=N]
//	submit NAME OP KEY [VALUE] [version=N] [end=KEY] [limit=N] [budget=N] [deadline=D]
//	reply NAME STATUS [value=V] [version=N] [switch] [copies=N] [corrupt]
//	piece NAME FIRST LAST [more] [budget=N] [KEY=VALUE]...
//	refuse NAME FIRST STATUS
//	cancel NAME | close | at D | sleep D | stats
//
// "at" lets time pass with a tick whenever one is due, "sleep" with one tick at the end.
// A reply answers the packet that was last sent for the request. FIRST and LAST are the ends of a
// piece, both of them inside; "c+" is the index key behind that of c, "c-" the one before.
func TestInteraction(t *testing.T) {
	files, err := filepath.Glob("testdata/interaction/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no interaction files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s: got\n%s\nrun with -rewrite and look at the difference", file, got)
			}
		})
	}
}

// replay returns the file with the output that the session gives.
func replay(t *testing.T, text string) string {
	var out strings.Builder
	p := &player{t: t, w: &out, last: map[string]wire.Packet{}, handles: map[string]Handle{}}
	for i, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		commands, _, isBlock := strings.Cut(block+"\n", "----\n")
		out.WriteString(commands)
		if !isBlock {
			continue // only a comment
		}
		out.WriteString("----\n")
		for line := range strings.Lines(commands) {
			if fields := strings.Fields(line); len(fields) > 0 && fields[0][0] != '#' {
				p.run(fields[0], fields[1:])
				p.report()
			}
		}
	}
	return out.String()
}

// player executes the commands of one file.
type player struct {
	t       *testing.T
	w       *strings.Builder
	session *Session
	now     time.Duration
	out     Output
	last    map[string]wire.Packet
	handles map[string]Handle
}

func (p *player) run(command string, args []string) {
	p.t.Helper()
	switch command {
	case "new":
		p.create(args)
	case "submit":
		p.submit(args)
	case "reply":
		p.reply(args)
	case "piece":
		p.piece(args)
	case "refuse":
		p.refuse(args)
	case "cancel":
		p.session.Cancel(p.now, p.handles[args[0]], ByCancel, &p.out)
	case "close":
		p.session.Close(p.now, &p.out)
	case "at":
		p.advance(args[0])
	case "sleep":
		p.now = p.duration(args[0])
		p.session.Tick(p.now, &p.out)
	case "stats":
		fmt.Fprintf(p.w, "%+v\n", p.session.Stats())
	default:
		p.t.Fatalf("unknown command %q", command)
	}
}

// options splits KEY=VALUE arguments from the others.
func options(args []string) (plain []string, named map[string]string) {
	named = map[string]string{}
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok {
			named[k] = v
		} else {
			plain = append(plain, a)
		}
	}
	return plain, named
}

func (p *player) number(s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *player) create(args []string) {
	_, o := options(args)
	s, err := New(Config{
		Rand:   rand.New(rand.NewPCG(1, 1)),
		Window: p.number(o["window"]), Queue: p.number(o["queue"]), Span: p.number(o["span"]),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.session, p.now = s, 0
}

var opsByName = map[string]wire.Op{
	"get": wire.OpGet, "scan": wire.OpScan, "put": wire.OpPut, "delete": wire.OpDelete,
	"cas": wire.OpCAS, "increment": wire.OpIncrement,
}

func (p *player) submit(args []string) {
	plain, o := options(args)
	r := Request{
		Op: opsByName[plain[1]], Keyspace: 7, Partitioner: kv.RangePartitioned, Key: []byte(plain[2]),
		Version: kv.Version(p.number(o["version"])), End: []byte(o["end"]),
		Limit: uint16(p.number(o["limit"])), Budget: uint8(p.number(o["budget"])),
		Deadline: p.now + time.Second, Tag: plain[0],
	}
	if len(plain) > 3 {
		r.Value = []byte(plain[3])
	}
	if o["deadline"] != "" {
		r.Deadline = p.duration(o["deadline"])
	}
	h, ok := p.session.Submit(p.now, &r, &p.out)
	if !ok {
		p.w.WriteString("queue full\n")
	}
	p.handles[plain[0]] = h
}

func (p *player) advance(to string) {
	end := p.duration(to)
	for {
		at, ok := p.session.Wake()
		if !ok || at > end {
			break
		}
		p.now = max(p.now, at)
		p.session.Tick(p.now, &p.out)
		p.report()
	}
	p.now = end
	p.session.Tick(p.now, &p.out)
}

func statusNamed(name string) wire.Status {
	for s := wire.StatusOK; s <= wire.StatusPending; s++ {
		if strings.EqualFold(s.String(), name) {
			return s
		}
	}
	return 200 // a status of the future
}

func (p *player) reply(args []string) {
	plain, o := options(args)
	request := p.last[plain[0]]
	r := wire.Packet(append(request.AppendReply(nil, statusNamed(plain[1])), o["value"]...))
	r.SetRecordVersion(kv.Version(p.number(o["version"])))
	r.Seal()
	for _, flag := range plain[2:] {
		switch flag {
		case "switch":
			r = bytes.Clone(request)
			r.SetFlags(wire.FlagReply | wire.FlagFromSwitch)
			r.SetStatus(statusNamed(plain[1]))
		case "corrupt":
			r[len(r)-1] ^= 1
		}
	}
	for range max(1, p.number(o["copies"])) {
		p.session.Deliver(p.now, r, &p.out)
	}
}

// index returns the index key of a key or "max", and its neighbour if the name ends in "+" or "-".
func index(name string) kv.IndexKey {
	if name == "max" {
		return kv.MaxIndexKey
	}
	k := kv.RangePartitioned.IndexKey([]byte(strings.TrimRight(name, "+-")))
	switch name[len(name)-1] {
	case '+':
		k, _ = k.Next()
	case '-':
		k, _ = k.Prev()
	}
	return k
}

// piece replies to a scan with the records of one piece of it.
func (p *player) piece(args []string) {
	plain := args[:3]
	reply := wire.BeginScanReply(p.last[plain[0]].AppendReply(nil, wire.StatusOK))
	more := false
	budget := p.last[plain[0]].ScanBudget()
	for _, a := range args[3:] {
		key, value, isRecord := strings.Cut(a, "=")
		more = more || a == "more"
		if key == "budget" {
			budget = uint8(p.number(value))
		} else if isRecord {
			reply.Add(wire.ScanRecord{Key: []byte(key), Value: []byte(value), Version: 1})
		}
	}
	r := wire.Packet(reply.Finish())
	r.SetIndexKey(index(plain[1]))
	r.SetEndIndexKey(index(plain[2]))
	r.SetScanBudget(budget)
	if more {
		r.SetFlags(wire.FlagReply | wire.FlagMore)
	}
	r.Seal()
	p.session.Deliver(p.now, r, &p.out)
}

// refuse replies to a scan with a status for the piece that starts at FIRST.
func (p *player) refuse(args []string) {
	r := wire.Packet(p.last[args[0]].AppendReply(nil, statusNamed(args[2])))
	r.SetIndexKey(index(args[1]))
	r.Seal()
	p.session.Deliver(p.now, r, &p.out)
}

// report writes and empties the session's output.
func (p *player) report() {
	for _, q := range p.out.Packets {
		p.remember(q)
		p.line("send " + describe(q))
	}
	for _, c := range p.out.Completions {
		p.line(describeEnd(c))
	}
	p.out.Reset()
}

func (p *player) line(text string) {
	fmt.Fprintf(p.w, "%v %s\n", p.now.Round(time.Microsecond), strings.TrimRight(text, " "))
}

// remember notes the packet as the last one of its request. Names are found by key: each file
// gives its requests different ones.
func (p *player) remember(q wire.Packet) {
	for name, h := range p.handles {
		if _, slot, ok := p.session.slots.find(h); ok && slot.seq == q.Sequence() {
			p.last[name] = bytes.Clone(q)
		}
	}
}

func describe(q wire.Packet) string {
	s := fmt.Sprintf("%v seq=%d lowest=%d", q.Op(), q.Sequence(), q.LowestOutstanding())
	if q.Op() == wire.OpScan {
		r, err := q.ScanRequest()
		return fmt.Sprintf("%s [%s, %s) limit=%d budget=%d last=%v %v", s, r.Start, r.End, r.Limit,
			q.ScanBudget(), q.EndIndexKey(), errText(err))
	}
	key, value, err := q.Keyed()
	return fmt.Sprintf("%s %s=%s version=%d %v", s, key, value, q.RecordVersion(), errText(err))
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func describeEnd(c Completion) string {
	s := fmt.Sprintf("done %v: %v", c.Tag, c.Outcome)
	switch {
	case c.Outcome == Answered:
		s += fmt.Sprintf(" %v version=%d %s", c.Status, c.Version, c.Value)
	case c.Cause == ByNode:
		s += fmt.Sprintf(" %v", c.Status)
	default:
		s += fmt.Sprintf(" by cause %d", c.Cause)
	}
	s += fmt.Sprintf(" sends=%d after %v", c.Sends,
		c.Elapsed.Round(time.Microsecond))
	if c.Page != nil {
		c.Page.Each(func(r wire.ScanRecord) { s += fmt.Sprintf(" %s=%s", r.Key, r.Value) })
		s += fmt.Sprintf(" done=%v next=%q more=%v", c.Page.Done, c.Page.Next, c.Page.More)
	}
	return s
}
