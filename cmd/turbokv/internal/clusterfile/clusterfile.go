// Package clusterfile keeps the facts that a client needs to reach a cluster on this machine in a
// small JSON file. `turbokv up` writes it; every client command reads it.
package clusterfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
)

// Name is the file's name within the data directory of a cluster.
const Name = "cluster.json"

// DefaultDataDir is where `turbokv up` keeps its data if nothing else is said.
const DefaultDataDir = "turbokv-data"

// Variable is the environment variable that names another file.
const Variable = "TURBOKV_CLUSTER"

// ErrNone says that no cluster file was found.
var ErrNone = errors.New("no cluster found")

// File is what a client must know of a cluster.
type File struct {
	Service netip.AddrPort `json:"service"` // the cluster's service address in the data network
	Admin   string         `json:"admin"`   // gRPC target of the controller's admin service, as host:port
	// Gateway is how clients get into the data network; the zero value: by a socket of the kernel.
	Gateway Gateway `json:"gateway,omitzero"`
	Up      string  `json:"up,omitempty"` // host:port of the service of `turbokv up`, if it is one
}

// Gateway is a row of switch ports for clients, each a UDP tunnel with one fixed peer. A client
// takes a slot by binding the peer's address, so the kernel keeps two clients apart and a client
// that dies frees its slot.
type Gateway struct {
	// Switch and Client are the ends of slot 0; slot i has both ports greater by i.
	Switch netip.AddrPort `json:"switch"`
	Client netip.AddrPort `json:"client"`
	// Host is the address in the data network of the client in slot 0; slot i has Host + i.
	Host  netip.AddrPort `json:"host"`
	Slots int            `json:"slots"`
}

// Path returns where the cluster file of a data directory is.
func Path(dataDir string) string { return filepath.Join(dataDir, Name) }

// Encode returns the text of the file.
func (f File) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cluster file: %w", err)
	}
	return append(text, '\n'), nil
}

// Write stores the file, whole or not at all.
func (f File) Write(path string) error {
	text, err := f.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cluster file: %w", err)
	}
	next := path + ".new"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return fmt.Errorf("cluster file: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("cluster file: %w", err)
	}
	return nil
}

// Read loads the file at path. An empty path stands for the file that Variable names or, if it is
// not set, the one in DefaultDataDir below the working directory.
func Read(path string) (File, error) {
	if path == "" {
		path = os.Getenv(Variable)
	}
	if path == "" {
		path = Path(DefaultDataDir)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, fmt.Errorf("%w: there is no %s: start one with `turbokv up`, or name its file "+
			"with --cluster or $%s", ErrNone, path, Variable)
	}
	if err != nil {
		return File{}, fmt.Errorf("cluster file: %w", err)
	}
	f, err := decode(text)
	if err != nil {
		return File{}, fmt.Errorf("cluster file %s: %w", path, err)
	}
	return f, nil
}

func decode(text []byte) (f File, err error) {
	if err := json.Unmarshal(text, &f); err != nil {
		return File{}, err
	}
	if err := f.Gateway.validate(); err != nil {
		return File{}, err
	}
	if !f.Service.Addr().Is4() || f.Service.Port() == 0 {
		return File{}, fmt.Errorf("service %v: must be an IPv4 address with a port", f.Service)
	}
	return f, nil
}

// maxSlots keeps the last slot's data address within the last byte of Host.
const maxSlots = 250

func (g Gateway) validate() error {
	if g == (Gateway{}) {
		return nil
	}
	for name, a := range map[string]netip.AddrPort{
		"switch": g.Switch, "client": g.Client, "host": g.Host,
	} {
		if !a.Addr().Is4() || a.Port() == 0 {
			return fmt.Errorf("gateway %s %v: must be an IPv4 address with a port", name, a)
		}
	}
	switch {
	case g.Slots < 1 || g.Slots > maxSlots:
		return fmt.Errorf("gateway with %d slots: must be 1 to %d", g.Slots, maxSlots)
	case int(g.Switch.Port())+g.Slots > 1<<16 || int(g.Client.Port())+g.Slots > 1<<16:
		return fmt.Errorf("gateway with %d slots: the last port number is above 65535", g.Slots)
	case int(g.Host.Addr().As4()[3])+g.Slots > 1<<8:
		return fmt.Errorf("gateway with %d slots: data addresses above %v run over", g.Slots, g.Host)
	}
	return nil
}
