package command

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the commands print into the script files")

// A script is a text file of command lines and what they print:
//
//	# a comment
//	> get greeting
//	hello
//	> get nothing
//	turbokv: GET default/"nothing": not found
//	[exit 3]
//	> load - < a,1\nb,2
//
// Standard output and standard error follow each other in this order; [exit N] stands for an exit
// code other than 0, T for a duration. Arguments are cut at spaces, 'quoted ones' are not; after
// "<" stands standard input with \n for line ends. An empty line of a script stands in front of a
// comment; any other one is output.
func runScript(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := replay(t, string(text))
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(text) {
		t.Errorf("%s: commands print something else; run with -rewrite and look at the difference.\n%s",
			path, firstDifference(string(text), got))
	}
}

// replay runs the commands of a script and returns it with what they print now.
func replay(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	blank := ""
	for line := range strings.SplitAfterSeq(script, "\n") {
		switch {
		case strings.HasPrefix(line, "> "):
			out.WriteString(line)
			out.WriteString(execute(t, strings.TrimSpace(line[2:])))
		case strings.HasPrefix(line, "#"):
			out.WriteString(blank + line)
		}
		blank = ""
		if line == "\n" {
			blank = line
		}
	}
	return out.String()
}

// durations finds what differs from run to run; scripts show T in its place.
var durations = regexp.MustCompile(`( in |"seconds": )[0-9.e-]+( s)?`)

func execute(t *testing.T, line string) string {
	t.Helper()
	commandLine, input, _ := strings.Cut(line, " < ")
	var stdout, stderr bytes.Buffer
	in := strings.NewReader(strings.ReplaceAll(input, `\n`, "\n"))
	code := Run(t.Context(), split(commandLine), Streams{In: in, Out: &stdout, Err: &stderr})
	text := durations.ReplaceAllString(stdout.String()+stderr.String(), "${1}T${2}")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if code != 0 {
		text += fmt.Sprintf("[exit %d]\n", code)
	}
	return text
}

// split cuts a command line at spaces outside single quotes.
func split(line string) (args []string) {
	var arg strings.Builder
	quoted, begun := false, false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				args = append(args, arg.String())
			}
			arg.Reset()
			begun = false
		default:
			arg.WriteRune(r)
			begun = true
		}
	}
	return args
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d:\nfile: %s\nnow:  %s", i+1, a, b)
		}
	}
	return "no difference"
}

func scripts(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in %s: %v", folder, err)
	}
	for i := range paths {
		if paths[i], err = filepath.Abs(paths[i]); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// Scripts in testdata/offline need no cluster: usage, help, and what is said when none is there.
func TestOfflineScripts(t *testing.T) {
	for _, path := range scripts(t, "offline") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			files := switchFiles(t)
			t.Chdir(files)
			t.Setenv("TURBOKV_CLUSTER", "")
			runScript(t, path)
		})
	}
}
