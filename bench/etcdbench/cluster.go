package etcdbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"go.etcd.io/etcd/server/v3/embed"
	"golang.org/x/sync/errgroup"
)

// Members is the number of etcd servers, as many as TurboKV has replicas.
const Members = 3

// Config says how to run etcd.
type Config struct {
	Dir       string // empty directory for the members' data
	NoFsync   bool   // durability memory
	Processes bool   // each member in a process of its own
}

// Cluster is a running etcd.
type Cluster struct {
	Endpoints []string // client URLs
	embedded  []*embed.Etcd
	children  []*exec.Cmd
}

// Start starts the members and returns when they serve.
func Start(ctx context.Context, c Config) (*Cluster, error) {
	members, err := plan(c)
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{}
	for _, m := range members {
		cluster.Endpoints = append(cluster.Endpoints, m.Client)
	}
	if c.Processes {
		err = cluster.startProcesses(members)
	} else {
		err = cluster.startEmbedded(ctx, members)
	}
	if err != nil {
		return nil, errors.Join(err, cluster.Close())
	}
	return cluster, nil
}

// plan gives every member its directory and free ports.
func plan(c Config) ([]member, error) {
	urls, err := freeURLs(2 * Members)
	if err != nil {
		return nil, err
	}
	members := make([]member, Members)
	var all []string
	for i := range members {
		name := fmt.Sprintf("m%d", i+1)
		members[i] = member{
			Name: name, Dir: filepath.Join(c.Dir, name), NoFsync: c.NoFsync,
			Client: urls[2*i], Peer: urls[2*i+1],
		}
		all = append(all, name+"="+urls[2*i+1])
	}
	for i := range members {
		members[i].Cluster = strings.Join(all, ",")
	}
	return members, nil
}

// freeURLs finds TCP ports of the loopback interface that are free now.
func freeURLs(n int) ([]string, error) {
	var urls []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("etcd: free port: %w", err)
		}
		defer l.Close() // all stay open until all are chosen, so they are distinct
		urls = append(urls, "http://"+l.Addr().String())
	}
	return urls, nil
}

func (c *Cluster) startEmbedded(ctx context.Context, members []member) error {
	var mu sync.Mutex
	var g errgroup.Group
	for _, m := range members {
		g.Go(func() error {
			e, err := m.start(ctx)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			c.embedded = append(c.embedded, e)
			return nil
		})
	}
	return g.Wait()
}

func (c *Cluster) startProcesses(members []member) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	for _, m := range members {
		text, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("etcd %s: %w", m.Name, err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), memberVariable+"="+string(text))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("etcd %s: %w", m.Name, err)
		}
		c.children = append(c.children, cmd)
	}
	return nil
}

// Close stops all members and waits for them.
func (c *Cluster) Close() error {
	var errs []error
	for _, e := range c.embedded {
		e.Server.HardStop() // or the leader looks for a successor among members that stop as well
	}
	for _, e := range c.embedded {
		e.Close()
	}
	for _, cmd := range c.children {
		errs = append(errs, cmd.Process.Signal(os.Interrupt))
	}
	for _, cmd := range c.children {
		errs = append(errs, cmd.Wait())
	}
	return errors.Join(errs...)
}
