package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The reflector is this program, started again.
func TestMain(m *testing.M) {
	if reflecting() {
		exit(reflect(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// TestMeasuresBothSides runs the shortest plan with the built-in switch and the reflector.
func TestMeasuresBothSides(t *testing.T) {
	dir := t.TempDir()
	binary, figures := filepath.Join(dir, "turbokv"), filepath.Join(dir, "figures.csv")
	if err := (&plan{binary: os.Args[0]}).ready(); err != nil {
		t.Skip(err)
	}
	build := exec.Command("go", "build", "-o", binary, "./cmd/turbokv")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out, progress bytes.Buffer
	err := run(t.Context(), []string{"-quick", "-scenarios", "142", "-contenders", "turbokv,reflector",
		"-turbokv", binary, "-csv", figures}, &out, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, word := range []string{"forward 142 B", builtin, reflector, "the generator alone sends"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("no %q in:\n%s", word, out.String())
		}
	}
	checkFigures(t, figures)
}

// checkFigures wants frames from everybody. That each passes is what every run checks before it
// measures; a short measurement on a machine with much other work may find nothing.
func checkFigures(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	best := map[string]float64{}
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[5], 64)
		if err != nil {
			t.Errorf("%v: %v", row, err)
		}
		best[row[2]] = max(best[row[2]], v)
	}
	if best[builtin] <= 0 || best[reflector] <= 0 {
		t.Errorf("no figures of both: %v", rows)
	}
}
