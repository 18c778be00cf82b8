package command

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/turbokv/turbokv/bmv2/stf"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// lockedWriter takes writes of several goroutines, one after the other.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// fillFrom returns what fills a switch as a file says.
func fillFrom(path string) (func(*v1model.Switch) error, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--entries: %w", err)
	}
	file, err := stf.Parse(path, string(text))
	if err != nil {
		return nil, usagef("--entries: %w", err)
	}
	return func(sw *v1model.Switch) error {
		if err := stf.Fill(sw, file); err != nil {
			return fmt.Errorf("--entries: %w", err)
		}
		return nil
	}, nil
}
