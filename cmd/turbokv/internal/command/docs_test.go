package command

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// root is the folder of the repository.
var root = filepath.Join("..", "..", "..", "..")

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// harmless are the kinds of events that no operator needs an explanation of.
var harmless = []string{
	"node joined", "node recovered", "node draining", "node drained", "node admitted",
	"node forgotten", "keyspace created", "keyspace ready", "keyspace dropped", "switch primary",
	"switch synced", "pipeline pushed", "controller leads", "controller stands by",
}

func TestOperationsExplainsEveryKindOfEvent(t *testing.T) {
	text := read(t, "docs", "OPERATIONS.md")
	kinds := regexp.MustCompile(`EventKind = "([^"]+)"`).FindAllStringSubmatch(
		read(t, "controller", "core", "event.go")+read(t, "controller", "events.go"), -1)
	if len(kinds) < 20 {
		t.Fatalf("%d kinds of events found", len(kinds))
	}
	for _, k := range kinds {
		if !slices.Contains(harmless, k[1]) && !strings.Contains(text, "`"+k[1]+"`") {
			t.Errorf("docs/OPERATIONS.md does not explain the event %q", k[1])
		}
	}
}

func TestOperationsNamesCommandsAndMetricsThatExist(t *testing.T) {
	text := read(t, "docs", "OPERATIONS.md")
	commands := (&app{}).root()
	for _, m := range regexp.MustCompile("(?m)(?:^|`)turbokv ([a-z]+)").FindAllStringSubmatch(text, -1) {
		if c, _, err := commands.Find([]string{m[1]}); m[1] != "help" && (err != nil || c == commands) {
			t.Errorf("docs/OPERATIONS.md names the command %q", m[1])
		}
	}
	sources := ""
	for _, room := range []string{"controller", "storagenode", "clientlib", "bmv2"} {
		sources += read(t, room, "metrics", "metrics.go")
	}
	metric := regexp.MustCompile(`turbokv_(?:node_|client_)?([a-z_]+?)(?:_bucket)?\b`)
	for _, m := range metric.FindAllStringSubmatch(text, -1) {
		if m[1] != "part_reachable" && !strings.Contains(sources, `"`+m[1]+`"`) {
			t.Errorf("docs/OPERATIONS.md names the metric %q", m[0])
		}
	}
}

// docs/SWITCH.md tells every option of the switch, and of simple_switch_grpc.
func TestSwitchGuideHasEveryOption(t *testing.T) {
	text := read(t, "docs", "SWITCH.md")
	c := (&app{}).switchCommand()
	for _, sub := range append(c.Commands(), c) {
		sub.Flags().VisitAll(func(f *pflag.Flag) {
			family := strings.HasPrefix(f.Name, "grpc-server-") // told by their ends
			known := strings.Contains(text, "--"+f.Name) || f.Shorthand != "" && strings.Contains(text, "-"+f.Shorthand)
			if !known && !family && sub.Name() != "diff" {
				t.Errorf("docs/SWITCH.md does not have --%s of turbokv %s", f.Name, sub.Name())
			}
		})
	}
}

// The program and the packet test that docs/SWITCH.md begins with are those that it shows, and pass.
func TestSwitchGuideBeginsWithWhatWorks(t *testing.T) {
	text, examples := read(t, "docs", "SWITCH.md"), filepath.Join(root, "docs", "examples")
	_, commands, _ := strings.Cut(read(t, "docs", "examples", "wire.stf"), "\n")
	_, function, _ := strings.Cut(read(t, "docs", "examples", "wire_test.go"), "\nfunc ")
	for name, shown := range map[string]string{
		"wire.stf": "```\n" + commands + "```", "wire_test.go": "```go\nfunc " + function + "```"} {
		if !strings.Contains(text, shown) {
			t.Errorf("docs/SWITCH.md does not show docs/examples/%s as it is", name)
		}
	}
	var out strings.Builder
	s := Streams{In: strings.NewReader(""), Out: &out, Err: &out}
	if code := Run(t.Context(), []string{"switch", "stf", "--p4info", filepath.Join(examples, "wire.p4info.txtpb"),
		examples}, s); code != exitOK || !strings.HasSuffix(out.String(), "\n1 tests, 1 passed\n") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}
