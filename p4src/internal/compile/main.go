// Command compile compiles the P4 program in the current folder with p4c-bm2-ss and records the
// hash of its sources. "go generate ./p4src" runs it.
package main

import (
	"fmt"
	"os"

	"github.com/turbokv/turbokv/p4src/internal/p4c"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "compile:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	if err := p4c.Compile(folder, folder); err != nil {
		return err
	}
	hash, err := p4c.Hash(os.DirFS(folder))
	if err != nil {
		return err
	}
	return os.WriteFile(p4c.SourceHash, []byte(hash), 0o644)
}
