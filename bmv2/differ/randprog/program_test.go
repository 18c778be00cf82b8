package randprog

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func source(seed uint64) string { return New(rand.New(rand.NewPCG(seed, 0))) }

func TestProgramsRepeat(t *testing.T) {
	if source(1) != source(1) {
		t.Error("the same seed wrote two programs")
	}
	if source(1) == source(2) {
		t.Error("two seeds wrote the same program")
	}
}

// Between them, the programs use what they are written for.
func TestProgramsAreRich(t *testing.T) {
	var all strings.Builder
	for seed := range uint64(60) {
		all.WriteString(source(seed))
	}
	for _, want := range []string{"|+|", "|-|", " ++ ", ">> ", "<< ", "int<", "bit<129>", "push_front", "pop_front",
		"setInvalid", ": lpm", ": ternary", ": range", ": optional", "hash(", "cells.read", "cells.write",
		"hits.count", "clone(", "clone_preserving_field_list", "resubmit_preserving_field_list",
		"recirculate_preserving_field_list", "truncate(", "mcast_grp", "update_checksum", "action_run", ".hit"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no program has %q", want)
		}
	}
}

func TestProgramsCompile(t *testing.T) {
	const compiler = "p4c-bm2-ss"
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("%s is not on PATH", compiler)
	}
	for seed := range uint64(4) {
		dir := t.TempDir()
		file := filepath.Join(dir, "random.p4")
		if err := os.WriteFile(file, []byte(source(seed)), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(compiler, "--Wdisable", "-o", filepath.Join(dir, "random.json"), file)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, out)
		}
	}
}
