package etcdbench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// member is one etcd server, in the form in which it is handed to a child process.
type member struct {
	Name    string `json:"name"`
	Dir     string `json:"dir"`
	Client  string `json:"client"` // URL
	Peer    string `json:"peer"`   // URL
	Cluster string `json:"cluster"`
	NoFsync bool   `json:"no_fsync"`
}

// quotaBytes lets the database grow through a whole run: etcd keeps every revision.
const quotaBytes = 16 << 30

// config is etcd's own default but for addresses, quota and fsync.
func (m member) config() (*embed.Config, error) {
	peer, err := url.Parse(m.Peer)
	if err != nil {
		return nil, err
	}
	client, err := url.Parse(m.Client)
	if err != nil {
		return nil, err
	}
	c := embed.NewConfig()
	c.Name, c.Dir = m.Name, m.Dir
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	c.InitialCluster = m.Cluster
	c.UnsafeNoFsync = m.NoFsync
	c.QuotaBackendBytes = quotaBytes
	c.LogLevel = "fatal" // closing logs errors
	return c, nil
}

// start starts the member and returns when it serves.
func (m member) start(ctx context.Context) (*embed.Etcd, error) {
	c, err := m.config()
	if err != nil {
		return nil, fmt.Errorf("etcd %s: %w", m.Name, err)
	}
	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("etcd %s: %w", m.Name, err)
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case err := <-e.Err():
		e.Close()
		return nil, fmt.Errorf("etcd %s: %w", m.Name, err)
	case <-ctx.Done():
		e.Close()
		return nil, fmt.Errorf("etcd %s: %w", m.Name, ctx.Err())
	}
}

// memberVariable carries a member to a child process.
const memberVariable = "TURBOKV_BENCH_ETCD_MEMBER"

// RunChild turns this process into an etcd member if it was started as one, and then returns true
// when the member has stopped. A program that calls StartProcesses calls it first in main.
func RunChild() (bool, error) {
	text, ok := os.LookupEnv(memberVariable)
	if !ok {
		return false, nil
	}
	var m member
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return true, fmt.Errorf("%s: %w", memberVariable, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e, err := m.start(ctx)
	if err != nil {
		return true, err
	}
	defer e.Close()
	select {
	case err := <-e.Err():
		return true, err
	case <-ctx.Done():
		e.Server.HardStop() // like Cluster.Close
		return true, nil
	}
}
