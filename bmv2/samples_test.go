package bmv2

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSamplesAreUpToDate compiles the test programs again. Their JSON is checked in, so that
// tests need no compiler:
//
//	cd testdata && p4c-bm2-ss -o tables.json tables.p4
func TestSamplesAreUpToDate(t *testing.T) {
	const compiler = "p4c-bm2-ss"
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("%s is not on PATH", compiler)
	}
	for _, name := range []string{"tables", "copies", "parsing"} {
		out := filepath.Join(t.TempDir(), name+".json")
		cmd := exec.Command(compiler, "-o", out, name+".p4")
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
	}
}
