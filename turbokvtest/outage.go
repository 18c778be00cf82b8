package turbokvtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/kv"
)

// outageMax is how long the others may need to go on without a rack: its nodes have to be given up, its
// switch, and nothing else is wrong. In practice it takes a few seconds.
const outageMax = 20 * time.Second

// outage loses a rack, of which nobody hears anything any more, while all else is in order: clients in
// other racks must be able to read and write all that has a member elsewhere, before the rack comes
// back.
func (c *Cluster) outage() error {
	sw := c.nemesis.rack()
	var witnesses []*client
	for _, cl := range c.clients {
		if cl.host.sw != sw {
			witnesses = append(witnesses, cl)
		}
	}
	if len(witnesses) == 0 {
		return nil
	}
	var keys []string
	for _, key := range c.clients[0].names {
		if !c.keyLost(key) && c.servedOutside(sw, key) {
			keys = append(keys, key)
		}
	}
	c.log("outage of rack %s", sw.name)
	mend := c.nemesis.loseRack(sw)
	err := c.ask(outageMax, func() int {
		for i, key := range keys {
			witnesses[i%len(witnesses)].readAgain(key, outageMax)
			witnesses[(i+1)%len(witnesses)].writeAgain(key, outageMax)
		}
		return 2 * len(keys)
	})
	c.log("the outage is over")
	mend()
	if err != nil {
		return fmt.Errorf("%v after rack %s was lost: %w", outageMax, sw.name, err)
	}
	return nil
}

// servedOutside reports whether a key has a replica outside of a rack.
func (c *Cluster) servedOutside(sw *fabric, key string) bool {
	at := c.keyspace.Partitioner.IndexKey([]byte(key))
	for _, s := range c.control.store.subRanges { // in any order: there is one
		if s.Keyspace == c.keyspace.ID && s.Interval.Contains(at) {
			return slices.ContainsFunc(s.Chain, func(n kv.NodeID) bool { return c.rackOf(n) != sw.name })
		}
	}
	return false
}
