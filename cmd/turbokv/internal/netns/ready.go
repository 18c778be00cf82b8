package netns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/controller/admin"
)

const (
	readyPoll = 50 * time.Millisecond
	askTime   = 2 * time.Second // that one answer may take
)

// Admin returns a client of the admin service of a network whose doors are open.
func Admin(p *netplan.Plan) (*admin.Client, error) {
	return admin.Dial(p.AdminTarget(), grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// Ready waits until the controller has all switches under control and all nodes are with it. The error
// tells what is missing.
func Ready(ctx context.Context, p *netplan.Plan) error {
	client, err := Admin(p)
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		missing := lacks(ctx, p, client)
		if missing == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", missing)
		}
	}
}

// lacks asks the controller what is missing.
func lacks(ctx context.Context, p *netplan.Plan, client *admin.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return fmt.Errorf("the controller does not answer: %w", err)
	}
	return errors.Join(lackingSwitches(p, s), lackingNodes(p, s))
}

func lackingSwitches(p *netplan.Plan, s admin.Status) error {
	synced := 0
	var states []string
	for _, sw := range s.Switches {
		if sw.Primary && sw.Synced {
			synced++
			continue
		}
		states = append(states, fmt.Sprintf("%s at %s (primary: %t, error: %q)", sw.Name, sw.Target,
			sw.Primary, sw.Error))
	}
	if want := len(p.Switches()); synced < want {
		return fmt.Errorf("%d of %d switches are synced; the others: %s", synced, want,
			strings.Join(states, ", "))
	}
	return nil
}

func lackingNodes(p *netplan.Plan, s admin.Status) error {
	online := make(map[string]bool)
	for _, n := range s.Nodes {
		online[n.ID.String()] = n.Online
	}
	var missing []string
	for _, name := range p.Nodes() {
		if h, _ := p.Topology.Host(name); !online[h.Addr.Addr().String()] {
			missing = append(missing, fmt.Sprintf("%s (%v)", name, h.Addr.Addr()))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("nodes are not online: %s", strings.Join(missing, ", "))
	}
	return nil
}
