package serverlib_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts do into the scripts")

// runScripts plays every script that matches the pattern. A script is a list of blocks: lines to
// execute, a line of four dashes, what they print, an empty line. Lines that start with # explain.
func runScripts(t *testing.T, pattern string, start func(*testing.T) (line func(string) string)) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no scripts (%v)", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			runScript(t, path, start(t))
		})
	}
}

func runScript(t *testing.T, path string, line func(string) string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		commands, want, _ := strings.Cut(block+"\n", "----\n")
		got := ""
		for _, command := range strings.Split(strings.TrimSpace(commands), "\n") {
			if !strings.HasPrefix(command, "#") && command != "" {
				got += line(command)
			}
		}
		if got != want && !*rewrite {
			t.Errorf("%s: after\n%s\nwant\n%s\ngot\n%s", path, commands, want, got)
		}
		if got != "" {
			got = "----\n" + got
		}
		all = append(all, commands+got)
	}
	if *rewrite {
		out := strings.Join(all, "\n")
		if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
