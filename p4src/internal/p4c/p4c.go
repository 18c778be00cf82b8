// Package p4c runs the bmv2 back end of p4c on TurboKV's program and says to which sources its
// output belongs. It is used by go generate and by the test that the committed output is current.
package p4c

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
)

// Compiler is the program that must be on PATH.
const Compiler = "p4c-bm2-ss"

// Names of the program and of what is made of it, in the folder of the sources.
const (
	Program    = "turbokv.p4"
	JSON       = "turbokv.json"
	P4Info     = "turbokv.p4info.txtpb"
	SourceHash = "turbokv.p4.sha256"
)

// Compile compiles the program in folder sources and writes JSON and P4Info into folder out. It
// runs the compiler in the folder, because p4c writes the names of source files into the JSON.
func Compile(sources, out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("output folder %s: %w", out, err)
	}
	cmd := exec.Command(Compiler, "--arch", "v1model", "--Werror",
		"--p4runtime-files", filepath.Join(out, P4Info), "-o", filepath.Join(out, JSON), Program)
	cmd.Dir = sources
	var messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &messages, &messages
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", Compiler, Program, err, messages.Bytes())
	}
	return nil
}

// Hash returns the SHA-256 over names and contents of all P4 files in the folder and below, as a
// line of hexadecimal digits.
func Hash(sources fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".p4" {
			return err
		}
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(text))
		sum.Write(text)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hash of the P4 sources: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)) + "\n", nil
}
