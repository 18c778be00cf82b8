package differ

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
)

// load reads x.json and the P4Info beside it.
func load(t *testing.T, file string) *Subject {
	t.Helper()
	program, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(file, ".json")
	var text []byte
	for _, suffix := range []string{".p4info.txtpb", ".p4info.txt"} {
		if text, err = os.ReadFile(base + suffix); err == nil {
			break
		}
	}
	if err != nil {
		t.Skipf("it has no P4Info beside it: %v", err)
	}
	info := new(p4config.P4Info)
	if err := prototext.Unmarshal(text, info); err != nil {
		t.Fatalf("%s: %v", base, err)
	}
	s, err := NewSubject(filepath.Base(base), &p4v1.ForwardingPipelineConfig{
		P4Info: info, P4DeviceConfig: program})
	if err != nil {
		t.Skip(err)
	}
	return s
}

// number returns a number of the environment, or another.
func number(t *testing.T, name string, other int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return other
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestSameAsSimpleSwitch compares all programs of ../testdata, or of the directory DIFFER_PROGRAMS,
// which holds pairs of x.json and x.p4info.txt as p4c writes them. DIFFER_SEED and DIFFER_CASES widen
// it.
func TestSameAsSimpleSwitch(t *testing.T) {
	path, err := exec.LookPath(SimpleSwitch)
	if err != nil {
		t.Skipf("%s is not on PATH", SimpleSwitch)
	}
	dir := os.Getenv("DIFFER_PROGRAMS")
	if dir == "" {
		dir = filepath.Join("..", "testdata")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d programs, error %v", dir, len(files), err)
	}
	z := NewFuzzer(Options{Path: path, Seed: uint64(number(t, "DIFFER_SEED", 1)),
		Cases: number(t, "DIFFER_CASES", 2)})
	defer z.Close()
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			s := load(t, file)
			if why := s.Disputed(); why != "" {
				t.Skip(why)
			}
			before := z.Stats
			found, err := z.Run(t.Context(), s)
			if status.Code(err) == codes.Unimplemented {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
			for _, d := range found {
				t.Error(d)
			}
			t.Log(z.Stats.since(before))
		})
	}
}
