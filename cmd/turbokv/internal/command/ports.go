package command

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/turbokv/turbokv/bmv2/port"
)

// parsePorts reads the ports of a switch from the command line. reserved are numbers that no port may
// have, with the reason.
func parsePorts(texts []string, reserved map[uint16]string) (specs []port.Spec, err error) {
	taken := map[uint16]string{}
	for number, reason := range reserved {
		taken[number] = reason
	}
	for _, text := range texts {
		spec, err := port.ParseSpec(text)
		if err != nil {
			return nil, usagef("%w", err)
		}
		if by, ok := taken[spec.Number]; ok {
			return nil, usagef("-i %s: port number %d is taken by %s", text, spec.Number, by)
		}
		taken[spec.Number] = "-i " + text
		specs = append(specs, spec)
	}
	return specs, nil
}

// openPorts opens all or none.
func openPorts(opener port.Opener, specs []port.Spec) (map[uint16]port.Port, error) {
	ports := make(map[uint16]port.Port)
	for _, spec := range specs {
		p, err := opener.Open(spec)
		if err != nil {
			return nil, errors.Join(portError(spec, err), closePorts(ports))
		}
		ports[spec.Number] = p
	}
	return ports, nil
}

// portError says what can be done about a port that does not open.
func portError(spec port.Spec, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("switch port %v: %w: run as root, or allow it once: "+
			"setcap cap_net_raw+ep FILE-OF-TURBOKV", spec, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("--use-files: port %v plays a file: %w", spec, err)
	}
	if spec.Interface != "" && !hasInterface(spec.Interface) {
		return usagef("switch port %v: there is no network interface %q here; there are %s",
			spec, spec.Interface, strings.Join(interfaces(), ", "))
	}
	return fmt.Errorf("switch port %v: %w", spec, err)
}

func hasInterface(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

func interfaces() (names []string) {
	all, err := net.Interfaces()
	if err != nil {
		return []string{"none that can be listed"}
	}
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

func closePorts(ports map[uint16]port.Port) error {
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
