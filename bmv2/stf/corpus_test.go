package stf_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/stf"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// TestCorpus runs a directory of foreign tests: each x.stf with the x.json that p4c made of its
// program. p4c's own tests fit. Programs that use something unsupported are skipped, with the
// name of the construct.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("STF_CORPUS")
	if dir == "" {
		t.Skip("STF_CORPUS is not set: a directory with pairs of x.stf and x.json")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.stf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d tests, error %v", dir, len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".stf"), func(t *testing.T) { runPair(t, f) })
	}
}

// TestProgramsLoad loads a directory of foreign programs, x.json: each must be accepted, or refused
// with the name of a construct. Malformed ones do not belong there.
func TestProgramsLoad(t *testing.T) {
	dir := os.Getenv("PROGRAM_CORPUS")
	if dir == "" {
		t.Skip("PROGRAM_CORPUS is not set: a directory with x.json of p4c")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d programs, error %v", dir, len(files), err)
	}
	accepted := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := bmv2.Load(data)
		if err == nil {
			_, err = v1model.NewSwitch(p, v1model.Config{})
		}
		switch {
		case err == nil:
			accepted++
		case errors.Is(err, bmv2.ErrUnsupported):
			t.Logf("%s: %v", filepath.Base(f), err)
		default:
			t.Errorf("%s: %v", filepath.Base(f), err)
		}
	}
	t.Logf("%d of %d programs are accepted", accepted, len(files))
}

func runPair(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(strings.TrimSuffix(file, ".stf") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	test, err := stf.Parse(filepath.Base(file), string(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := bmv2.Load(program)
	if errors.Is(err, bmv2.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	sw, err := v1model.NewSwitch(p, v1model.Config{})
	if errors.Is(err, bmv2.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := stf.Run(sw, test); err != nil {
		t.Error(err)
	}
}
