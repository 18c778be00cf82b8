// Package mininet holds the Python program that builds a planned network with Mininet, opens
// Mininet's prompt in it, and tears it down. What a network is made of, which processes run in it
// and what the prompt's own commands do stands in Go: the program reads a plan, and hands its
// commands to `turbokv net`.
//
// The Go part of the package brings the program to where Python can run it, finds a Python that has
// Mininet, and removes what a run that was killed has left behind.
package mininet

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed program/*.py
var program embed.FS

// Extract writes the program into a directory, which is made if need be, and returns what Python is
// to run.
func Extract(dir string) (string, error) {
	files, err := program.ReadDir("program")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := program.ReadFile("program/" + f.Name())
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f.Name()), text, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

// ErrNoMininet says that no Python of this machine can import Mininet.
var ErrNoMininet = errors.New("no Python on this machine has Mininet: on Debian and Ubuntu, " +
	"apt-get install --no-install-recommends mininet iputils-ping; elsewhere see mininet.org/download")

// Interpreter returns a Python that has Mininet. That of the system is asked first, because the
// python3 on PATH is often one of pyenv or conda, which does not see packages of the system.
func Interpreter(ctx context.Context) (string, error) {
	var asked []error
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		path, err := exec.LookPath(python)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "-c", "import mininet.net").CombinedOutput()
		if err == nil {
			return path, mnexec()
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		asked = append(asked, fmt.Errorf("%s: %s", path, lastLine(out)))
	}
	return "", errors.Join(append([]error{ErrNoMininet}, asked...)...)
}

// mnexec tells whether the part of Mininet that is no Python is there too.
func mnexec() error {
	if _, err := exec.LookPath("mnexec"); err != nil {
		return fmt.Errorf("mininet is incomplete, its program mnexec is not on PATH: %w", err)
	}
	return nil
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
