package bmv2

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSamplesTMP(t *testing.T) {
	files, _ := filepath.Glob(os.Getenv("SAMPLES") + "/*.json")
	for _, f := range files {
		d, _ := os.ReadFile(f)
		_, err := Load(d)
		t.Log(filepath.Base(f), err)
	}
}
