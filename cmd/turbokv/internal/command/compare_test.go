package command

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCompareOverProcesses runs a small comparison of all ways over a rack of processes.
func TestCompareOverProcesses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	out := compareSomewhere(t, "--rig", "tunnels", "--nodes", "3", "--theta", "0,1.2", "--writes", "0,100",
		"--modes", "switch,client,server,server-through,master", "--in-flight", "1,16", "--rounds", "1",
		"--turn", "20ms", "--warm-up", "20ms", "--records", "300", "--sub-ranges", "8",
		"--csv", path("c.csv"), "--png", path("c.png"), "--svg", path("c.svg"))
	for _, want := range []string{"3 nodes", "uniform, reads", "zipf 1.2, 100 % writes", "zipf 1.2, scans",
		"0 operations failed; 300 records read back: 0 violations, 0 unread"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output has no %q:\n%s", want, out)
		}
	}
	text, err := os.ReadFile(path("c.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if points := 6; err != nil || len(rows) != 1+points*2*5 {
		t.Errorf("CSV of %d rows, error %v", len(rows), err)
	}
	for _, name := range []string{"c.png", "c.svg"} {
		if info, err := os.Stat(path(name)); err != nil || info.Size() < 10_000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// compareSomewhere runs turbokv compare on port numbers that are free.
func compareSomewhere(t *testing.T, args ...string) string {
	t.Helper()
	for base := 41590; base < 50000; base += 1000 {
		var stdout bytes.Buffer
		stderr := &signalWriter{seen: make(chan struct{})} // several processes write to it
		all := append([]string{"compare", "--verbose", "--base-port", strconv.Itoa(base)}, args...)
		code := Run(t.Context(), all, Streams{In: strings.NewReader(""), Out: &stdout, Err: stderr})
		if code == 0 {
			return stdout.String()
		}
		if !strings.Contains(stderr.String(), "address already in use") {
			t.Fatalf("compare: exit %d\n%s", code, stderr.String())
		}
	}
	t.Fatal("no free ports")
	return ""
}

func TestCompareRefusesWhatItCannotDo(t *testing.T) {
	for _, args := range [][]string{
		{"--modes", "swich"}, {"--modes", "switch,switch"}, {"--rig", "rope"}, {"--nodes", "2"},
		{"--rounds", "0"}, {"--writes", "101"}, {"--theta=-1"}, {"--durability", "paper"},
	} {
		var stderr bytes.Buffer
		code := Run(t.Context(), append([]string{"compare"}, args...),
			Streams{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &stderr})
		if code != exitUsage {
			t.Errorf("%v: exit %d: %s", args, code, stderr.String())
		}
	}
}
