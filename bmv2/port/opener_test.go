package port

import (
	"path/filepath"
	"testing"

	"github.com/turbokv/turbokv/bmv2/link"
)

func TestOpenerPlaysFilesAndRecords(t *testing.T) {
	dir, frames := t.TempDir(), numbered(3, 60)
	captures := t.TempDir()
	writePcap(t, filepath.Join(dir, "veth0_in.pcap"), timed{0, frames[0]}, timed{1, frames[1]})
	o := Opener{Files: NewReplay(nil), Captures: captures}
	p, err := o.Open(Spec{Number: 1, Interface: filepath.Join(dir, "veth0"),
		Link: link.Spec{Loss: 1}}) // of what is sent
	if err != nil {
		t.Fatal(err)
	}
	o.Files.Start(0)
	if n, err := p.ReadBatch(buffers(4)); n != 2 || err != nil {
		t.Fatalf("ReadBatch = %d, %v", n, err)
	}
	p.WriteBatch(frames)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][][]byte{
		filepath.Join(dir, "veth0_out.pcap"):      nil,
		filepath.Join(captures, "veth0_in.pcap"):  frames[:2],
		filepath.Join(captures, "veth0_out.pcap"): frames,
	} {
		sameFrames(t, path, storedFile(t, path), want)
	}
}

func TestOpenerRecordsTunnels(t *testing.T) {
	dir := t.TempDir()
	p, err := Opener{Captures: dir}.Open(Spec{Number: 7, UDP: UDPConfig{Local: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	sameFrames(t, "port 7", storedFile(t, filepath.Join(dir, "port7_in.pcap")), nil)
	if _, err := (Opener{Captures: filepath.Join(dir, "absent")}).Open(
		Spec{UDP: UDPConfig{Local: "127.0.0.1:0"}}); err == nil {
		t.Error("a folder that is not there is taken")
	}
}
