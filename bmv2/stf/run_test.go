package stf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/stf"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

const testdata = "../testdata"

// newSwitch loads x.json for x.stf.
func newSwitch(t *testing.T, program string) *v1model.Switch {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata, program+".json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := bmv2.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	sw, err := v1model.NewSwitch(p, v1model.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return sw
}

func TestFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata, "*.stf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, name := range files {
		base := strings.TrimSuffix(filepath.Base(name), ".stf")
		t.Run(base, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := stf.Parse(filepath.Base(name), string(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := stf.Run(newSwitch(t, base), f); err != nil {
				t.Error(err)
			}
		})
	}
}
