// Package etcdtest runs a real etcd for a test.
package etcdtest

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// startMax is how long etcd may take to answer its first request.
const startMax = 20 * time.Second

// Start runs one member on the loopback interface until the test ends, and returns its endpoint. It
// skips the test when there is no etcd on PATH.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	binary, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("etcd is not on PATH (Debian: apt-get install etcd-server): not tested with a real one")
	}
	client, peer := freeAddr(t), freeAddr(t)
	cmd := exec.Command(binary, "--data-dir", t.TempDir(), "--log-level", "error",
		"--listen-client-urls", "http://"+client, "--advertise-client-urls", "http://"+client,
		"--listen-peer-urls", "http://"+peer, "--initial-advertise-peer-urls", "http://"+peer,
		"--initial-cluster", "default=http://"+peer, "--unsafe-no-fsync")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: the error says no more
	})
	if err := await(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	return client
}

// freeAddr returns a loopback address that nobody listens on now.
func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await returns when etcd has answered a request.
func await(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: startMax})
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		_, err = client.Get(attempt, "ready")
		cancel()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("etcd at %s: %w", endpoint, err)
}
