package port

import (
	"errors"
	"fmt"
)

// OpenInterface opens a port on a network interface, which is watched for as long as the port is
// open. It needs CAP_NET_RAW in the interface's network namespace, and root for XDP.
func OpenInterface(cfg InterfaceConfig) (*Interface, error) {
	home, err := openNamespace()
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", cfg.Name, err)
	}
	m, err := newMonitor()
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", cfg.Name, errors.Join(err, home.close()))
	}
	return newInterface(cfg, m, func() (o *opened, err error) {
		err = home.run(func() error {
			o, err = cfg.open()
			return err
		})
		return o, err
	}, func() error { return errors.Join(m.close(), home.close()) })
}

// open opens the interface in the way that is asked for.
func (cfg InterfaceConfig) open() (*opened, error) {
	workers := max(1, cfg.Workers)
	switch cfg.IO {
	case IOSocket:
		p, err := openPackets(cfg.Name, workers, false)
		return &opened{lower: p, io: IOSocket}, err
	case IORing:
		p, err := openPackets(cfg.Name, workers, true)
		return &opened{lower: p, io: IORing}, err
	case IOXDP:
		return cfg.openXDP()
	}
	p, problem := openPackets(cfg.Name, workers, true)
	if problem == nil {
		return &opened{lower: p, io: IORing}, nil
	}
	p, err := openPackets(cfg.Name, workers, false)
	return &opened{lower: p, io: IOSocket, problem: problem}, err
}

func (cfg InterfaceConfig) openXDP() (*opened, error) {
	x, err := OpenXDP(cfg.Name)
	if err != nil {
		return nil, err
	}
	if cfg.Workers > 0 && cfg.Workers != x.Queues() {
		return nil, errors.Join(fmt.Errorf("interface %q: %d workers for %d receive queues; "+
			"XDP has one for each (ethtool -L sets them)", cfg.Name, cfg.Workers, x.Queues()), x.Close())
	}
	return &opened{lower: x, io: IOXDP, zeroCopy: x.ZeroCopy(), fits: x.fits}, nil
}
