package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/gateway"
	"github.com/turbokv/turbokv/kv"
)

// defaultKeyspace is the one that `turbokv up` creates.
const defaultKeyspace = "default"

// clientFlags say which keyspace to use and how to reach the cluster.
type clientFlags struct {
	keyspace string
	service  string
	network  string
	local    string
	hex      bool
}

func (f *clientFlags) add(c *cobra.Command) {
	f.addCluster(c)
	c.Flags().BoolVar(&f.hex, "hex", false, "keys and values are given and shown in hexadecimal")
}

// addCluster adds the flags of commands without keys on the command line.
func (f *clientFlags) addCluster(c *cobra.Command) {
	c.Flags().StringVarP(&f.keyspace, "keyspace", "k", defaultKeyspace, "`name` of the keyspace")
	c.Flags().StringVar(&f.service, "service", "",
		"service `address` of a cluster that is reached without a cluster file, as 10.0.255.1:21579")
	c.Flags().StringVar(&f.network, "network", "udp",
		"with --service: udp for a socket of the kernel, or tunnel:HOST:PORT for a switch port")
	c.Flags().StringVar(&f.local, "local", "",
		"with --service: own IPv4 `address` and port in the data network")
}

// dial connects to the cluster that the flags name.
func (a *app) dial(ctx context.Context, f clientFlags) (*clientlib.Client, error) {
	cfg := clientlib.Config{Keyspace: f.keyspace, Timeout: a.timeout}
	var err error
	if f.service != "" {
		err = f.direct(&cfg)
	} else {
		err = a.throughGateway(&cfg)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return clientlib.Dial(ctx, cfg)
}

// direct fills in what --service and its companions say.
func (f clientFlags) direct(cfg *clientlib.Config) (err error) {
	cfg.Network = f.network
	if cfg.Service, err = parseAddr("service", f.service); err != nil {
		return err
	}
	if f.local != "" {
		cfg.Local, err = parseAddr("local", f.local)
	}
	return err
}

// parseAddr reads a flag that is an address in the data network.
func parseAddr(flag, text string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil || !a.Addr().Is4() {
		return netip.AddrPort{}, usagef("--%s %q: must be an IPv4 address with a port, as 10.0.0.1:21579",
			flag, text)
	}
	return a, nil
}

// throughGateway takes a slot of the cluster that the cluster file describes.
func (a *app) throughGateway(cfg *clientlib.Config) error {
	file, err := clusterfile.Read(a.clusterPath)
	if err != nil {
		return err
	}
	cfg.Service = file.Service
	cfg.Conn, err = gateway.Dial(file.Gateway)
	return err
}

// withClient runs f with a client that is closed afterwards.
func (a *app) withClient(
	ctx context.Context, flags clientFlags, f func(*clientlib.Client) error,
) (err error) {
	c, err := a.dial(ctx, flags)
	if err != nil {
		return err
	}
	defer func() {
		if e := c.Close(); err == nil && e != nil {
			err = fmt.Errorf("close: %w", e)
		}
	}()
	return f(c)
}

// withWriter is withClient for commands that change records. The system keyspace is the
// controller's: a record that is wrong there hides a keyspace from every client.
func (a *app) withWriter(
	ctx context.Context, flags clientFlags, f func(*clientlib.Client) error,
) error {
	if flags.keyspace == kv.SystemDescriptor.Name {
		return usagef("--keyspace %s: it belongs to the controller and is only to be read", flags.keyspace)
	}
	return a.withClient(ctx, flags, f)
}

// octets decodes an argument that is a key or a value.
func (f clientFlags) octets(text string) ([]byte, error) {
	if !f.hex {
		return []byte(text), nil
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, usagef("%q with --hex: %w", text, err)
	}
	return b, nil
}

// key decodes an argument that is a key.
func (f clientFlags) key(text string) ([]byte, error) {
	if text == "" {
		return nil, usagef("the key is empty")
	}
	return f.octets(text)
}

// value decodes an argument that is a value; "-" stands for all of standard input.
func (f clientFlags) value(text string, in io.Reader) ([]byte, error) {
	if text != "-" {
		return f.octets(text)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return b, nil
}

// show is the form of a key or value for people. On a terminal, characters that are neither
// printable nor allowed are quoted; elsewhere bytes stay what they are.
func (a *app) show(f clientFlags, b []byte, allowed string) string {
	if f.hex {
		return hex.EncodeToString(b)
	}
	return a.readable(b, allowed)
}
