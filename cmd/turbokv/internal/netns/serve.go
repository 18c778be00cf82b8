package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// Doors lead from outside of the namespaces to the services of the controller.
type Doors struct {
	page      string
	listeners []net.Listener
	stop      context.CancelFunc
	work      sync.WaitGroup
}

// Serve opens the doors: Plan.AdminSocket to the admin service and, if page is not empty, this address
// to the web page. Namespace is that of place "ctl".
func Serve(plan *netplan.Plan, namespace, page string) (*Doors, error) {
	ctx, stop := context.WithCancel(context.Background())
	d := &Doors{stop: stop}
	if err := os.Remove(plan.AdminSocket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	admin, err := net.Listen("unix", plan.AdminSocket())
	if err != nil {
		return nil, fmt.Errorf("admin service: %w", err)
	}
	d.open(ctx, admin, namespace, plan.Admin)
	if page == "" {
		return d, nil
	}
	l, err := net.Listen("tcp", page)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("web page: %w", err), d.Close())
	}
	d.page = "http://" + l.Addr().String()
	d.open(ctx, l, namespace, plan.HTTP)
	return d, nil
}

// Page is the URL of the web page, or empty.
func (d *Doors) Page() string { return d.page }

// Close shuts the doors and ends all connections.
func (d *Doors) Close() error {
	d.stop()
	var errs []error
	for _, l := range d.listeners {
		errs = append(errs, l.Close())
	}
	d.work.Wait()
	return errors.Join(errs...)
}

func (d *Doors) open(ctx context.Context, l net.Listener, namespace string, to netip.AddrPort) {
	d.listeners = append(d.listeners, l)
	d.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			d.work.Go(func() { forward(ctx, c, namespace, to) })
		}
	})
}

// forward joins a connection with a new one in a namespace until either ends.
func forward(ctx context.Context, a net.Conn, namespace string, to netip.AddrPort) {
	defer a.Close()
	var b net.Conn
	err := Inside(namespace, func() (err error) {
		b, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to))
		return err
	})
	if err != nil {
		return // the other side sees a connection that is closed, and tries again
	}
	defer b.Close()
	defer context.AfterFunc(ctx, func() { _, _ = a.Close(), b.Close() })()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(a, b)
		_ = a.Close()
	}()
	_, _ = io.Copy(b, a)
	_ = b.Close()
	<-back
}
