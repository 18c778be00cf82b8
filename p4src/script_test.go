package p4src_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/p4src"
)

// device is a switch under test. Ports are those of the P4 program, the controller's included.
type device interface {
	add(entry) error
	cloneSession(id, port uint16) error
	send(port uint16, frame []byte) error
	// receive returns all frames that have left since the last call, those of one port in order.
	// It waits until at least want have.
	receive(want int) ([]frameOut, error)
	// digest returns the fields of the next digest.
	digest() ([][]byte, error)
	// packets returns the packet count of one cell of a counter.
	packets(counter string, index int) (int64, error)
}

type frameOut struct {
	port  uint16
	bytes []byte
}

// entry is a table entry as a test file writes it.
type entry struct {
	table, action string
	match, params map[string]string // name -> value, with /length for a prefix
}

// statement is one line of a test file.
type statement struct {
	where      string // file and line
	verb, rest string
}

// readScript reads a test file. "use NAME" stands for the statements of NAME.stf.
//
// The form is that of p4c's .stf files with the frame notation of this package: add,
// mirroring_add, packet, expect (of the packet above), check_counter; and expect_digest.
func readScript(t testing.TB, file string) (script []statement) {
	t.Helper()
	for i, line := range strings.Split(string(readFile(t, file)), "\n") {
		line, _, _ = strings.Cut(line, "#")
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "":
		case "use":
			script = append(script, readScript(t, filepath.Join("testdata", rest+".stf"))...)
		default:
			where := fmt.Sprintf("%s:%d", file, i+1)
			script = append(script, statement{where, verb, strings.TrimSpace(rest)})
		}
	}
	return script
}

// scriptFiles returns the test files, not those that only others use.
func scriptFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.stf")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/*.stf: %d files, error %v", len(files), err)
	}
	var tests []string
	for _, f := range files {
		if text := readFile(t, f); bytes.Contains(text, []byte("\npacket ")) {
			tests = append(tests, f)
		}
	}
	return tests
}

// run executes test files on a device.
type run struct {
	device   device
	notation notation
	expected map[uint16][][]byte // what must have left by the next settle, by port
}

// runScripts runs every test file on a fresh device.
func runScripts(t *testing.T, newDevice func(*testing.T) device) {
	for _, file := range scriptFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".stf"), func(t *testing.T) {
			r := run{device: newDevice(t), expected: map[uint16][][]byte{}}
			for _, s := range readScript(t, file) {
				if err := r.execute(s); err != nil {
					t.Fatalf("%s: %v", s.where, err)
				}
			}
			if err := r.settle(); err != nil {
				t.Fatalf("%s: at the end: %v", file, err)
			}
		})
	}
}

func (r *run) execute(s statement) error {
	switch s.verb {
	case "expect":
		return r.expect(s.rest)
	case "expect_digest":
		return r.expectDigest(s.rest)
	}
	if err := r.settle(); err != nil {
		return fmt.Errorf("before this line: %w", err)
	}
	switch s.verb {
	case "add":
		return r.add(s.rest)
	case "mirroring_add":
		var id, port uint16
		if _, err := fmt.Sscan(s.rest, &id, &port); err != nil {
			return err
		}
		return r.device.cloneSession(id, port)
	case "packet":
		return r.packet(s.rest)
	case "check_counter":
		return r.checkCounter(s.rest)
	}
	return fmt.Errorf("unknown verb %q; valid are add, mirroring_add, packet, expect, "+
		"expect_digest, check_counter, use", s.verb)
}

var addForm = regexp.MustCompile(`^(\w+) (.*) (\w+)\((.*)\)$`)

func (r *run) add(text string) error {
	m := addForm.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("add %q is not: table key:value ... action(param:value, ...)", text)
	}
	e := entry{table: m[1], action: m[3], match: map[string]string{}, params: map[string]string{}}
	for _, pair := range strings.Fields(m[2]) {
		name, value, _ := strings.Cut(pair, ":")
		e.match[name] = value
	}
	for _, pair := range strings.FieldsFunc(m[4], func(c rune) bool { return c == ',' || c == ' ' }) {
		name, value, _ := strings.Cut(pair, ":")
		e.params[name] = value
	}
	return r.device.add(e)
}

func (r *run) portAndFrame(text string, sent bool) (uint16, []byte, error) {
	number, frame, _ := strings.Cut(text, " ")
	port, err := strconv.ParseUint(number, 10, 9)
	if err != nil {
		return 0, nil, err
	}
	b, err := r.notation.parse(frame, sent)
	return uint16(port), b, err
}

func (r *run) packet(text string) error {
	port, frame, err := r.portAndFrame(text, true)
	if err != nil {
		return err
	}
	return r.device.send(port, frame)
}

func (r *run) expect(text string) error {
	port, frame, err := r.portAndFrame(text, false)
	if err != nil {
		return err
	}
	r.expected[port] = append(r.expected[port], frame)
	return nil
}

// settle waits for the frames expected so far and compares.
func (r *run) settle() error {
	want := 0
	for _, frames := range r.expected {
		want += len(frames)
	}
	got, err := r.device.receive(want)
	if err != nil {
		return err
	}
	for _, out := range got {
		waiting := r.expected[out.port]
		if len(waiting) == 0 {
			return fmt.Errorf("unexpected frame on port %d:\n%s", out.port, describe(out.bytes))
		}
		if !bytes.Equal(out.bytes, waiting[0]) {
			return fmt.Errorf("port %d: got\n%swant\n%s",
				out.port, describe(out.bytes), describe(waiting[0]))
		}
		r.expected[out.port] = waiting[1:]
	}
	for port, missing := range r.expected {
		if len(missing) > 0 {
			return fmt.Errorf("port %d: missing\n%s", port, describe(missing[0]))
		}
	}
	return nil
}

func (r *run) expectDigest(text string) error {
	if err := r.settle(); err != nil {
		return err
	}
	got, err := r.device.digest()
	if err != nil {
		return err
	}
	want := strings.Fields(text)[1:]
	if len(got) != len(want) {
		return fmt.Errorf("digest has %d fields, want %d", len(got), len(want))
	}
	for i, value := range want {
		b, err := parseValue(value, 8)
		if err != nil {
			return err
		}
		if !bytes.Equal(bytes.TrimLeft(b, "\x00"), bytes.TrimLeft(got[i], "\x00")) {
			return fmt.Errorf("digest field %d is %x, want %x (%s)", i, got[i], b, value)
		}
	}
	return nil
}

var counterForm = regexp.MustCompile(`^(\w+)\((\d+)\) packets == (\d+)$`)

func (r *run) checkCounter(text string) error {
	m := counterForm.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("check_counter %q is not: name(index) packets == number", text)
	}
	index, _ := strconv.Atoi(m[2])
	got, err := r.device.packets(m[1], index)
	if err != nil {
		return err
	}
	if want := m[3]; strconv.FormatInt(got, 10) != want {
		return fmt.Errorf("%s(%d) has counted %d packets, want %s", m[1], index, got, want)
	}
	return nil
}

// describe dumps a frame with the name of the field that starts each line.
func describe(frame []byte) string {
	starts := map[int]string{}
	for name, p := range places {
		if strings.HasPrefix(name, "arp.") == isARP(frame) || p.at < 14 {
			starts[p.at] = name
		}
	}
	var out strings.Builder
	for at := 0; at < len(frame); {
		end := at + 1
		for end < len(frame) && starts[end] == "" && end < at+32 {
			end++
		}
		fmt.Fprintf(&out, "%4d %-18s %x\n", at, starts[at], frame[at:end])
		at = end
	}
	return out.String()
}

func TestEveryDropReasonHasATest(t *testing.T) {
	all := ""
	for _, file := range scriptFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	for _, reason := range p4src.DropReasons() {
		check := fmt.Sprintf("check_counter drop_counter(%d) packets == 1\n", int(reason))
		if !strings.Contains(all, check) {
			t.Errorf("no file in testdata drops a packet for %v", reason)
		}
	}
}
