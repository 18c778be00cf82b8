package scenario

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/controller/p4rt"
)

// Every entry must fit its program, or a run would end after minutes.
func TestEntriesFitTheirPrograms(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		info, err := p4rt.NewInfo(s.Pipeline.P4Info)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		for _, e := range s.Entries {
			if _, err := info.Entry(e, true); err != nil {
				t.Fatalf("%s: %v: %v", s.Name, e, err)
			}
		}
		if _, err := bmv2.Load(s.Pipeline.DeviceConfig); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if len(s.Frames) != frames || s.Size() < 64 || s.Size() > 1514 {
			t.Errorf("%s: %d frames of %d bytes", s.Name, len(s.Frames), s.Size())
		}
	}
}

func TestStampsAreRead(t *testing.T) {
	f := make([]byte, 64)
	if _, _, ok := Stamp(f); ok {
		t.Error("a frame without a stamp has one")
	}
	SetStamp(f, 7, -1)
	if n, at, ok := Stamp(f); n != 7 || at != -1 || !ok {
		t.Errorf("read %d, %d, %v", n, at, ok)
	}
	if _, _, ok := Stamp(f[:15]); ok {
		t.Error("a frame that is too short has a stamp")
	}
}

func TestCompiledProgramsAreCurrent(t *testing.T) {
	compiler, err := exec.LookPath("p4c-bm2-ss")
	if err != nil {
		t.Skip("p4c-bm2-ss is not on PATH")
	}
	for _, name := range []string{"forward", "routes"} {
		base := filepath.Join(t.TempDir(), name)
		out, err := exec.Command(compiler, "--arch", "v1model", "--Werror", "--p4runtime-files",
			base+".p4info.txtpb", "-o", base+".json", "p4/"+name+".p4").CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for _, kind := range []string{".json", ".p4info.txtpb"} {
			want, _ := os.ReadFile(base + kind)
			got, err := os.ReadFile("p4/" + name + kind)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("p4/%s%s is not what the compiler makes of its source: run go generate (%v)",
					name, kind, err)
			}
		}
	}
}
