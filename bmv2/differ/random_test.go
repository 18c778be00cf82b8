package differ

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/turbokv/turbokv/bmv2/differ/randprog"
)

// TestRandomProgramsSameAsSimpleSwitch compares DIFFER_RANDOM random programs; those from DIFFER_SEED
// on. A program that differs is kept in the directory DIFFER_KEEP, if that is set.
func TestRandomProgramsSameAsSimpleSwitch(t *testing.T) {
	for _, need := range []string{SimpleSwitch, "p4c-bm2-ss"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("%s is not on PATH", need)
		}
	}
	first := number(t, "DIFFER_SEED", 1)
	opt := Options{Seed: uint64(first), Cases: number(t, "DIFFER_CASES", 2)}
	z := NewFuzzer(opt)
	defer z.Close()
	refused := 0
	for i := range number(t, "DIFFER_RANDOM", 2) {
		if !compareRandom(t, z, uint64(first+i)) {
			refused++
		}
	}
	t.Logf("%d programs refused; %v", refused, z.Stats)
}

// compareRandom reports false when p4c does not compile the program.
func compareRandom(t *testing.T, z *Fuzzer, seed uint64) bool {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "random.p4")
	text := randprog.New(rand.New(rand.NewPCG(seed, 0)))
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	compile := exec.Command("p4c-bm2-ss", "--Wdisable", "-o", "random.json",
		"--p4runtime-files", "random.p4info.txt", "random.p4")
	compile.Dir = dir
	if out, err := compile.CombinedOutput(); err != nil {
		t.Logf("seed %d: %s", seed, out)
		return false
	}
	s := load(t, filepath.Join(dir, "random.json"))
	found, err := z.Run(t.Context(), s)
	if err != nil {
		t.Errorf("program %d: %v", seed, err)
	}
	for _, d := range found {
		t.Errorf("program %d: %v", seed, d)
	}
	if keep := os.Getenv("DIFFER_KEEP"); keep != "" && (err != nil || found != nil) {
		if err := os.CopyFS(filepath.Join(keep, fmt.Sprint(seed)), os.DirFS(dir)); err != nil {
			t.Error(err)
		}
	}
	return true
}
