package mininet

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestProgramOfPython(t *testing.T) {
	python, err := Interpreter(t.Context())
	if err != nil {
		t.Skip(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "-B", "-W", "error::ResourceWarning",
		filepath.Join("tests", "test_program.py")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestExtractWritesAProgram(t *testing.T) {
	dir, err := Extract(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"__main__.py", "prompt.py"} {
		want, err := os.ReadFile(filepath.Join("program", name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
