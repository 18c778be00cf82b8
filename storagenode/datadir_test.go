package storagenode

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/storagenode/engine"
	"github.com/turbokv/turbokv/transport"
)

func TestIncarnationGrowsOverRestarts(t *testing.T) {
	path, last := t.TempDir(), uint64(0)
	for range 3 {
		d, err := openDataDir(path)
		if err != nil {
			t.Fatal(err)
		}
		next, err := d.nextIncarnation()
		if err != nil || next <= last {
			t.Fatalf("incarnation %d after %d: %v", next, last, err)
		}
		last = next
		if err := d.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedIncarnationIsNotTakenForANewNode(t *testing.T) {
	path := t.TempDir()
	writeLine(t, filepath.Join(path, incarnationName), "7x")
	conn := listen(t, transport.NewNetwork(), nodeAddr(1))
	_, err := Start(context.Background(), Config{Conn: conn, DataDir: path})
	if !errors.Is(err, ErrDirBroken) || !strings.Contains(err.Error(), incarnationName) {
		t.Errorf("got %v, want %v with the name of the file", err, ErrDirBroken)
	}
	d, err := openDataDir(path)
	if err != nil {
		t.Fatalf("the node that did not start still holds the directory: %v", err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
}

func TestDataDirIsForOneNodeAtATime(t *testing.T) {
	net, path := transport.NewNetwork(), t.TempDir()
	startNode(t, Config{Conn: listen(t, net, nodeAddr(1)), DataDir: path})
	_, err := Start(context.Background(), Config{Conn: listen(t, net, nodeAddr(2)), DataDir: path})
	if !errors.Is(err, ErrDirInUse) {
		t.Errorf("got %v, want %v", err, ErrDirInUse)
	}
}

func writeLine(t *testing.T, path, line string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDataDirIsForOneAddress(t *testing.T) {
	net, path := transport.NewNetwork(), t.TempDir()
	first, err := Start(context.Background(), Config{Conn: listen(t, net, nodeAddr(1)), DataDir: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Start(context.Background(), Config{Conn: listen(t, net, nodeAddr(2)), DataDir: path})
	if !errors.Is(err, ErrOtherNode) {
		t.Errorf("got %v, want %v", err, ErrOtherNode)
	}
}

func TestConfigIsChecked(t *testing.T) {
	conn := listen(t, transport.NewNetwork(), nodeAddr(1))
	for name, cfg := range map[string]Config{
		"no conn":           {},
		"unknown engine":    {Conn: conn, Engine: "leveldb"},
		"memory on disk":    {Conn: conn, Engine: engine.Memory, DataDir: t.TempDir()},
		"no port of switch": {Conn: conn, Control: Control{Target: "localhost:1"}},
	} {
		if _, err := Start(context.Background(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: got %v, want %v", name, err, ErrConfig)
		}
	}
}
