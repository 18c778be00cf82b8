package command

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/topology"
)

func TestLinesOfThePromptAreCutIntoWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                             nil,
		"  \t\r\n":                     nil,
		"kv put h1  key value\n":       {"kv", "put", "h1", "key", "value"},
		`put h1 k "two words" 'it''s'`: {"put", "h1", "k", "two words", "its"},
		`put h1 '' "a \" b" c\ d '\'`:  {"put", "h1", "", `a " b`, "c d", `\`},
	} {
		got, err := splitWords(line)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`a "b`, `a 'b"`, `a\`} {
		if got, err := splitWords(line); err == nil {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// FuzzSplitWords: whatever the words of a line are, quoted they are the same.
func FuzzSplitWords(f *testing.F) {
	f.Add(`put h1 "two words" it\'s`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err != nil || strings.ContainsAny(line, "\r\n") {
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		again, err := splitWords(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(words, again) {
			t.Errorf("%q: %q, then %q, %v", line, words, again, err)
		}
	})
}

func samplePlan(t *testing.T) *netplan.Plan {
	t.Helper()
	s, err := topology.ParseShape("spine-leaf:1x2x2")
	if err != nil {
		t.Fatal(err)
	}
	p, err := netplan.New(s.Network(), netplan.Options{Dir: "/run/lab", Binary: "/bin/turbokv"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPartsToBreakAreFoundByWhatPeopleSay(t *testing.T) {
	p := samplePlan(t)
	for words, want := range map[string]string{
		"h2": "h2", "node h2": "h2", "node3": "h4", "node node3": "h4", "s1": "s1", "switch s3": "s3",
		"controller": "controller", "ctl": "controller", "rack s2": "s2 h4 h5", "rack s3": "s3",
	} {
		found, err := meant(p, strings.Fields(words))
		if got := strings.Join(names(found), " "); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", words, got, err, want)
		}
	}
	for words, says := range map[string]string{
		"h3": "h1, h2, h4, h5", "node9": "s1, s2, s3", "node s1": "h1, h2, h4, h5",
		"switch h1": "s1, s2, s3", "rack h1": "s1, s2, s3", "pod s1": "rack SWITCH",
		"node h1 h2": "rack SWITCH",
	} {
		if _, err := meant(p, strings.Fields(words)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", words, err, says)
		}
	}
}

func TestNetTakesItsOwnFlagOnly(t *testing.T) {
	for line, want := range map[string]string{
		"--run f put h1 a --run g": "f put h1 a --run g", "--run=f --x": "f --x", "put --run f": " put --run f",
		"": "",
	} {
		run, rest, err := takeRun(strings.Fields(line))
		if got := strings.TrimRight(run+" "+strings.Join(rest, " "), " "); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
	if _, _, err := takeRun([]string{"--run"}); err == nil {
		t.Error("--run without a file is taken")
	}
}

// TestNetworksThatAreNotThere needs no namespaces, and so no root: what is missing is said first.
func TestNetworksThatAreNotThere(t *testing.T) {
	none := filepath.Join(t.TempDir(), "run.json")
	for _, args := range [][]string{
		{"net", "--run", none, "kv", "get", "h1", "k"}, {"net", "--run", none, "fail", "h1"},
		{"net", "status", "--run", none}, {"netns", "down", "--run", none},
	} {
		var out bytes.Buffer
		code := Run(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		text := out.String()
		if code != exitUnavailable ||
			!strings.Contains(text, "turbokv netns up") && !strings.Contains(text, "as root") {
			t.Errorf("%v: exit %d, %s", args, code, text)
		}
	}
}

func TestWrongNetworksAreRefused(t *testing.T) {
	for says, args := range map[string][]string{
		"--topo":       {"--topo", "ring"},
		"no such file": {"--topo", "./absent.json"},
		"--neighbours": {"--neighbours", "none"},
		"--name":       {"--name", "Lab"},
	} {
		var out bytes.Buffer
		code := Run(t.Context(), append([]string{"netns", "up"}, args...),
			Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		if code != exitUsage || !strings.Contains(out.String(), says) {
			t.Errorf("%v: exit %d, %s", args, code, out.String())
		}
	}
}
