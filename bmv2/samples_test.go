package bmv2

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var samples = []string{"tables", "copies", "parsing", "stateful", "corners", "unions", "varbit",
	"valuesets", "exprs", "hashes", "registers", "queueing", "keys"}

// TestSamplesAreUpToDate compiles the test programs again. Their JSON is checked in, so that
// tests need no compiler:
//
//	cd testdata && p4c-bm2-ss -o tables.json --p4runtime-files tables.p4info.txtpb tables.p4
//
// The P4Info stands beside it where somebody needs it.
func TestSamplesAreUpToDate(t *testing.T) {
	const compiler = "p4c-bm2-ss"
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("%s is not on PATH", compiler)
	}
	for _, name := range samples {
		dir := t.TempDir()
		out, info := filepath.Join(dir, name+".json"), filepath.Join(dir, name+".p4info.txtpb")
		cmd := exec.Command(compiler, "-o", out, "--p4runtime-files", info, name+".p4")
		cmd.Dir = "testdata" // source locations in the JSON are relative
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s.p4: %v\n%s", name, err, text)
		}
		fresh, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fresh, readSample(t, name+".json")) {
			t.Errorf("testdata/%s.json is not what %s makes of %s.p4", name, compiler, name)
		}
		if old, err := os.ReadFile(filepath.Join("testdata", filepath.Base(info))); err == nil {
			if fresh, err = os.ReadFile(info); err != nil || !bytes.Equal(fresh, old) {
				t.Errorf("testdata/%s.p4info.txtpb is not what %s makes of it: %v", name, compiler, err)
			}
		}
	}
}
