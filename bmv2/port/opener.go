package port

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Opener opens the ports of one switch. The zero value opens them as [Spec.Open] does.
type Opener struct {
	// Files plays files instead of opening interfaces: "INTERFACE_in.pcap" is received, and what is
	// sent goes to "INTERFACE_out.pcap", as with "--use-files" of BMv2's programs. Tunnels are
	// tunnels all the same. Nil: interfaces are interfaces.
	Files *Replay
	// Wait takes interfaces that do not exist yet: their ports are down until they appear.
	Wait bool
	// Captures is the folder in which all ports are recorded, in "INTERFACE_in.pcap" and
	// "INTERFACE_out.pcap" as with "--pcap" of BMv2's programs; a tunnel is called portN. "": no
	// port is.
	Captures string
	// OnError is told the first error of each file that is written for Captures; it must not wait.
	// Nil: nobody is told.
	OnError func(error)
}

// pcapNames returns the names of the files of a port.
func (s Spec) pcapNames() (in, out string) {
	name := s.Interface
	if name == "" {
		name = fmt.Sprintf("port%d", s.Number)
	}
	return name + "_in.pcap", name + "_out.pcap"
}

// Open opens one port.
func (o Opener) Open(s Spec) (Port, error) {
	p, err := o.open(s)
	if err != nil {
		return nil, err
	}
	p = Shape(p, s.Link)
	if o.Captures == "" {
		return p, nil
	}
	inName, outName := s.pcapNames()
	in, err := CreateRecorder(filepath.Join(o.Captures, filepath.Base(inName)), o.OnError)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	out, err := CreateRecorder(filepath.Join(o.Captures, filepath.Base(outName)), o.OnError)
	if err != nil {
		return nil, errors.Join(err, p.Close(), in.Close())
	}
	return NewTee(p, in, out), nil
}

func (o Opener) open(s Spec) (Port, error) {
	switch {
	case s.Interface == "":
		return ListenUDP(s.UDP)
	case o.Files != nil:
		in, out := s.pcapNames()
		return o.Files.Open(in, out)
	}
	return OpenInterface(InterfaceConfig{Name: s.Interface, IO: s.IO, Workers: s.Workers, Wait: o.Wait})
}
