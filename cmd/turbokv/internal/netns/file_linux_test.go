package netns_test

import (
	"os"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// TestDataOfAnotherTopologyIsLeftAlone needs no namespaces: files are written first.
func TestDataOfAnotherTopologyIsLeftAlone(t *testing.T) {
	o := netplan.Options{Dir: t.TempDir(), Binary: "/bin/turbokv"}
	adopt := func(shape string) error {
		a, err := netns.Adopt(planOf(t, shape, o), "nobody", nil)
		if err != nil {
			return err
		}
		return a.Release()
	}
	if err := adopt("single:1"); err != nil {
		t.Fatal(err)
	}
	if err := adopt("single:2"); err != nil {
		t.Errorf("a folder without data: %v", err)
	}
	if err := os.WriteFile(planOf(t, "single:1", o).StoreFile(), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := adopt("single:2"); err != nil {
		t.Errorf("the same topology: %v", err)
	}
	if err := adopt("single:3"); err == nil || !strings.Contains(err.Error(), "another topology") {
		t.Errorf("another topology: %v", err)
	}
}
