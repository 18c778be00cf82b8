package command

import (
	"errors"
	"fmt"

	"github.com/turbokv/turbokv/bmv2/port"
)

// parsePorts reads the ports of a switch from the command line.
func parsePorts(texts []string) (specs []port.Spec, err error) {
	for _, text := range texts {
		spec, err := port.ParseSpec(text)
		if err != nil {
			return nil, usagef("%w", err)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// openPorts opens all or none.
func openPorts(specs []port.Spec) (map[uint16]port.Port, error) {
	ports := make(map[uint16]port.Port)
	for _, spec := range specs {
		p, err := spec.Open()
		if err == nil && ports[spec.Number] != nil {
			err = errors.Join(usagef("port number %d is given twice", spec.Number), p.Close())
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("switch port %v: %w", spec, err), closePorts(ports))
		}
		ports[spec.Number] = p
	}
	return ports, nil
}

func closePorts(ports map[uint16]port.Port) error {
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
