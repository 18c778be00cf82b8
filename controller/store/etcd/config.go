package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Scheme begins the address of a store in etcd: etcd://host:port,host:port/prefix.
const Scheme = "etcd://"

// Errors of this package.
var (
	ErrAddress = errors.New("invalid etcd address")
	ErrDeposed = errors.New("another controller leads")
	ErrSchema  = errors.New("unknown schema version")
	ErrCorrupt = errors.New("store is damaged")
)

// Config is how to reach the etcd cluster and how to take part in the election.
type Config struct {
	// Client configures the connection: endpoints and credentials.
	Client clientv3.Config
	// Prefix is where this cluster's keys begin, so that several share one etcd; without slashes at
	// its ends. Empty stands for "turbokv".
	Prefix string
	// Name tells operators who leads, usually the address of this controller's gRPC service.
	Name string
	// Beat is the time between two signs of life of the leader; 0 stands for 100 ms.
	Beat time.Duration
	// Patience is how long a standby does without them; 0 stands for 600 ms: five may be lost, and
	// a takeover, in which the nodes and the switch come back, ends within 2 s.
	Patience time.Duration
	// LeaseTTL is after how many seconds etcd itself takes a dead leader's key away; 0 stands for 5.
	LeaseTTL int
	// NewClusterID draws the id of a cluster whose store is empty.
	NewClusterID func() string
}

// ParseAddress returns the configuration that an address etcd://host:port[,host:port][/prefix]
// stands for.
func ParseAddress(address string) (Config, error) {
	rest, ok := strings.CutPrefix(address, Scheme)
	if !ok {
		return Config{}, fmt.Errorf("%w %q: must begin with %s", ErrAddress, address, Scheme)
	}
	hosts, prefix, _ := strings.Cut(rest, "/")
	var c Config
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("http://" + host)
		if err != nil || u.Hostname() == "" || u.Port() == "" || u.Host != host {
			return Config{}, fmt.Errorf("%w %q: %q: must be host:port", ErrAddress, address, host)
		}
		c.Client.Endpoints = append(c.Client.Endpoints, host)
	}
	c.Prefix = strings.Trim(prefix, "/")
	return c, nil
}

// The defaults that Config's fields document.
const (
	defaultPrefix   = "turbokv"
	defaultBeat     = 100 * time.Millisecond
	defaultPatience = 600 * time.Millisecond
	defaultLeaseTTL = 5
	dialTimeout     = 5 * time.Second
)

func (c Config) complete() (Config, error) {
	c.Prefix = cmp.Or(c.Prefix, defaultPrefix)
	c.Beat = cmp.Or(c.Beat, defaultBeat)
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, defaultLeaseTTL)
	c.Client.DialTimeout = cmp.Or(c.Client.DialTimeout, dialTimeout)
	switch {
	case len(c.Client.Endpoints) == 0:
		return c, fmt.Errorf("%w: no endpoint", ErrAddress)
	case c.NewClusterID == nil:
		return c, fmt.Errorf("etcd: no source of cluster ids")
	case c.Patience < 2*c.Beat:
		return c, fmt.Errorf("etcd: patience %v: must be at least two beats of %v", c.Patience, c.Beat)
	}
	return c, nil
}
