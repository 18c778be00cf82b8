package clusterfile

import (
	"encoding/json"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

var sample = File{
	Service: netip.MustParseAddrPort("10.0.255.1:21579"), Admin: "127.0.0.1:21590",
	Gateway: Gateway{
		Switch: netip.MustParseAddrPort("127.0.0.1:21600"),
		Client: netip.MustParseAddrPort("127.0.0.1:21700"),
		Host:   netip.MustParseAddrPort("10.0.200.1:21580"), Slots: 32,
	},
}

func TestWrittenFilesAreRead(t *testing.T) {
	path := Path(filepath.Join(t.TempDir(), "new", "dir"))
	if err := sample.Write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || got != sample {
		t.Errorf("got %+v, %v", got, err)
	}
	direct := File{Service: sample.Service, Admin: "unix:/run/admin.sock"}
	if err := direct.Write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || got != direct {
		t.Errorf("without a gateway: got %+v, %v", got, err)
	}
	if err := sample.Write(path); err != nil {
		t.Fatal(err)
	}
	t.Setenv(Variable, path)
	if got, err := Read(""); err != nil || got != sample {
		t.Errorf("by %s: got %+v, %v", Variable, got, err)
	}
}

func TestAMissingFileSaysWhatToDo(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv(Variable, "")
	_, err := Read("")
	if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "turbokv up") {
		t.Errorf("got %v", err)
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*File){
		"no service":     func(f *File) { f.Service = netip.AddrPort{} },
		"no slots":       func(f *File) { f.Gateway.Slots = 0 },
		"too many slots": func(f *File) { f.Gateway.Slots = 251 },
		"no host":        func(f *File) { f.Gateway.Host = netip.AddrPort{} },
		"ports run over": func(f *File) { f.Gateway.Switch = netip.MustParseAddrPort("127.0.0.1:65530") },
		"hosts run over": func(f *File) { f.Gateway.Host = netip.MustParseAddrPort("10.0.200.240:1") },
	} {
		f := sample
		spoil(&f)
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	text, err := json.Marshal(sample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if file, err := decode(text); err == nil && file.Gateway.validate() != nil {
			t.Errorf("%s: accepted", text)
		}
	})
}
