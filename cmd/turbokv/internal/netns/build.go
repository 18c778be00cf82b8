package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
)

// folder is where the ip command keeps named namespaces.
const folder = "/run/netns/"

// spaces returns the paths of the namespaces of a plan, by place.
func spaces(p *netplan.Plan) map[string]string {
	out := make(map[string]string)
	for _, x := range p.Places {
		out[x.Name] = folder + p.Prefix + x.Name
	}
	return out
}

// parallel is how many namespaces are made at once; the kernel does most of it one after the other.
const parallel = 4

// build makes namespaces, cables, and all that is in them, but processes. It may end half-way.
func build(ctx context.Context, p *netplan.Plan) error {
	for _, x := range p.Places {
		if err := errors.Join(ctx.Err(), ip("netns", "add", p.Prefix+x.Name)); err != nil {
			return err
		}
	}
	var cables []string
	for _, c := range p.Cables {
		cables = append(cables, fmt.Sprintf("link add %s netns %s type veth peer name %s netns %s",
			c.A.Interface, p.Prefix+c.A.Place, c.B.Interface, p.Prefix+c.B.Place))
	}
	if err := batch("", cables); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, x := range p.Places {
		group.Go(func() error {
			if err := setUp(ctx, p.Prefix+x.Name, x.Setup); err != nil {
				return fmt.Errorf("%s %s: %w", x.Kind, x.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// setUp runs the commands of a place, those of ip that follow each other at once.
func setUp(ctx context.Context, namespace string, commands [][]string) error {
	var links []string
	for _, words := range commands {
		if words[0] == "ip" {
			links = append(links, strings.Join(words[1:], " "))
			continue
		}
		if err := errors.Join(ctx.Err(), batch(namespace, links)); err != nil {
			return err
		}
		links = nil
		if err := run(append(enter(folder+namespace), words...)...); err != nil {
			return err
		}
	}
	return batch(namespace, links)
}

// enter begins the command line of a program that runs in a namespace. The program sees the /sys of that
// namespace, where simple_switch_grpc looks whether its ports are up: ip makes one, and so has Mininet.
func enter(path string) []string {
	if name, ok := strings.CutPrefix(path, folder); ok {
		return []string{"ip", "netns", "exec", name}
	}
	var pid int
	if _, err := fmt.Sscanf(path, "/proc/%d/ns/net", &pid); err == nil && Need("mnexec") == nil {
		return []string{"mnexec", "-a", strconv.Itoa(pid)}
	}
	return []string{"nsenter", "--net=" + path, "--"}
}

// writeFiles writes those of a plan. It refuses a folder with the data of another topology: its nodes
// would look for each other in vain.
func writeFiles(p *netplan.Plan) error {
	old, err := os.ReadFile(p.TopologyFile())
	_, kept := os.Stat(p.StoreFile())
	for _, f := range p.Files {
		if f.Path == p.TopologyFile() && err == nil && kept == nil && f.Text != string(old) {
			return fmt.Errorf("folder %s has the data of another topology, as %s says: choose another folder, "+
				"or remove it", p.Dir, p.TopologyFile())
		}
	}
	for _, f := range p.Files {
		if err := os.WriteFile(f.Path, []byte(f.Text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
