package storagenode

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turbokv/turbokv/kv"
)

// Names in a data directory.
const (
	lockName        = "LOCK"        // held by the running node
	incarnationName = "incarnation" // of the last start, decimal
	nodeName        = "node"        // address of the node whose data this is
	clusterName     = "cluster"     // id of the cluster whose data this is
	engineName      = "engine"      // the engine's own directory
)

// dataDir is an open data directory.
type dataDir struct {
	path string
	lock io.Closer
}

// openDataDir makes the directory if needed and locks it against other nodes.
func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	// Pebble's lock works on every system, and between two nodes of one process too.
	lock, err := vfs.Default.Lock(filepath.Join(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDirInUse, path, err)
	}
	return &dataDir{path: path, lock: lock}, nil
}

func (d *dataDir) close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("data directory %s: release lock: %w", d.path, err)
	}
	return nil
}

func (d *dataDir) engine() string { return filepath.Join(d.path, engineName) }

// claim records whose data this is, or compares: chains name their members by address, so under
// another one the data would be of no use, and the node would look like one that lost everything.
func (d *dataDir) claim(id kv.NodeID) error {
	owner, err := d.read(nodeName)
	switch {
	case err != nil:
		return err
	case owner == "":
		return d.write(nodeName, id.String())
	case owner != id.String():
		return fmt.Errorf("%w: %s is of %s, this is %v", ErrOtherNode, d.path, owner, id)
	}
	return nil
}

// nextIncarnation returns a number greater than any it returned before, and makes sure that no
// later call, even after a power loss, returns it again.
func (d *dataDir) nextIncarnation() (uint64, error) {
	text, err := d.read(incarnationName)
	if err != nil {
		return 0, err
	}
	last := uint64(0)
	if text != "" {
		if last, err = strconv.ParseUint(text, 10, 64); err != nil {
			return 0, fmt.Errorf("%w: %s: %w", ErrDirBroken, filepath.Join(d.path, incarnationName), err)
		}
	}
	return last + 1, d.write(incarnationName, strconv.FormatUint(last+1, 10))
}

// cluster returns the id that setCluster stored, or nothing.
func (d *dataDir) cluster() (string, error) { return d.read(clusterName) }

func (d *dataDir) setCluster(id string) error { return d.write(clusterName, id) }

// read returns the one line of a file, nothing if there is no such file.
func (d *dataDir) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(d.path, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// write replaces a file. A crash leaves either the old content or the new one.
func (d *dataDir) write(name, line string) error {
	path := filepath.Join(d.path, name)
	if err := writeSynced(path+".new", line+"\n"); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	// The new name is durable when its directory is.
	dir, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
