package netplan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// DefaultDir is the folder of a run if nothing else is said.
const DefaultDir = "turbokv-net"

// Run is a plan that was built, as its file tells: what is where.
type Run struct {
	Plan *Plan `json:"plan"`
	// By is who built it: "netns" or "mininet".
	By string `json:"by"`
	// Runner is the process that owns all of it, and with which it goes.
	Runner int `json:"runner"`
	// RunnerStart tells the runner from a later process of the same number: when it started, in clock
	// ticks since boot, as in /proc/PID/stat; 0: not known.
	RunnerStart uint64 `json:"runner_start,omitempty"`
	// Namespaces are paths of network namespaces by place: /run/netns/NAME or /proc/PID/ns/net.
	Namespaces map[string]string `json:"namespaces"`
	// Processes are process ids by name; those that do not run are left out.
	Processes map[string]int `json:"processes"`
	// Page is the URL of the web page, as seen by the runner; empty: not served.
	Page string `json:"page,omitempty"`
	// Ready says that all was up once.
	Ready bool `json:"ready"`
}

// Encode returns the text of the file.
func (r *Run) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("run file: %w", err)
	}
	return append(text, '\n'), nil
}

// DecodeRun reads the text of a file.
func DecodeRun(text []byte) (*Run, error) {
	r := new(Run)
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("run file: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("run file: more than one JSON value")
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("run file: %w", err)
	}
	return r, nil
}

// check demands what tools rely on.
func (r *Run) check() error {
	if r.Plan == nil || r.Plan.Topology == nil {
		return errors.New("it holds no plan")
	}
	if !filepath.IsAbs(r.Plan.Dir) {
		return fmt.Errorf("folder %q: must be an absolute path", r.Plan.Dir)
	}
	for _, p := range r.Plan.Processes {
		if _, ok := r.Plan.Place(p.Place); !ok || len(p.Args) == 0 {
			return fmt.Errorf("process %q: it has no place, or no command line", p.Name)
		}
	}
	for name, pid := range r.Processes {
		if _, ok := r.Plan.Process(name); !ok || pid <= 0 {
			return fmt.Errorf("process %q with id %d: there is no such process", name, pid)
		}
	}
	if r.Runner < 0 {
		return fmt.Errorf("runner %d: must be a process id", r.Runner)
	}
	return nil
}
