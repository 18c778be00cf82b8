package turbokvtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/turbokv/turbokv/controller/dataplane"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
)

// control is the controller: the real directory, with reliable but slow sessions to the nodes and
// the switch.
type control struct {
	cluster *Cluster
	dir     *directory.Directory
	created bool
}

const switchName = "s1"

// sessionDelayMax bounds the time that a message between controller and node takes.
const sessionDelayMax = 3 * time.Millisecond

func newControl(c *Cluster) (*control, error) {
	k := &control{cluster: c}
	err := k.load(directory.Snapshot{Meta: directory.Meta{ClusterID: "test"}})
	return k, err
}

func (k *control) load(s directory.Snapshot) (err error) {
	k.dir, err = directory.New(directory.Config{
		Limits:      directory.Limits{SubRanges: 1024, PartitionEntries: 4096},
		ExpectNodes: k.cluster.opt.Nodes, Switches: []string{switchName},
	}, s)
	return err
}

// restart forgets everything but what was stored.
func (k *control) restart() {
	if err := k.load(k.dir.View().Snapshot()); err != nil {
		k.cluster.fail(fmt.Errorf("controller restarts: %w", err))
		return
	}
	for _, n := range k.cluster.nodes {
		if n.up {
			k.hello(n)
		}
	}
}

func (k *control) hello(n *node) {
	h := directory.Hello{ClusterID: "test", Node: directory.Node{
		ID: n.id, MAC: transport.MACOf(n.host.addr.Addr()), Switch: switchName,
		Port: uint32(n.host.port), Persistent: true, Incarnation: n.incarnation,
	}}
	for _, r := range n.held() {
		h.Held = append(h.Held, directory.Held{SubRange: r.SubRange, Epoch: r.Epoch})
	}
	e, err := k.dir.Hello(h)
	if err != nil {
		k.cluster.fail(err)
		return
	}
	k.do(e)
	k.create()
}

func (k *control) gone(n *node) { k.dir.Gone(n.id) }

// create asks for the keyspace of the test as soon as the directory can place it.
func (k *control) create() {
	if _, ready := k.dir.Keyspace(kv.SystemKeyspace); k.created || !ready {
		return
	}
	k.created = true
	o := k.cluster.opt
	made, e, err := k.dir.CreateKeyspace(directory.CreateKeyspace{
		Name: "test", Partitioner: o.Partitioner, Durability: o.Durability,
		Replication: o.Replication, SubRanges: o.SubRanges,
	})
	if err != nil {
		k.cluster.fail(err)
		return
	}
	k.cluster.keyspace = made.Descriptor
	k.do(e)
}

// ready reports whether clients can use the keyspace.
func (k *control) ready() bool {
	made, ok := k.dir.KeyspaceNamed("test")
	return ok && made.Phase == directory.PhaseReady
}

// do carries out what the directory decided.
func (k *control) do(e directory.Effects) {
	for _, s := range e.Sends {
		k.cluster.events.after(k.cluster.within(sessionDelayMax), func() { k.send(s) })
	}
	for _, p := range e.Publications {
		k.cluster.events.after(k.cluster.within(sessionDelayMax), func() { k.do(k.dir.Published(p)) })
	}
	if len(e.Changes) > 0 {
		if err := k.install(); err != nil {
			k.cluster.fail(err)
		}
	}
}

func (k *control) send(s directory.Send) {
	at := slices.IndexFunc(k.cluster.nodes, func(n *node) bool { return n.id == s.To })
	n := k.cluster.nodes[at]
	if !n.up || s.Assign == nil {
		return // lost with the session; sent again after the next hello
	}
	a := *s.Assign
	err := n.configure(a, func() {
		k.do(k.dir.Acknowledged([]directory.Ack{{Node: n.id, SubRange: a.SubRange, Epoch: a.Epoch}}))
	})
	if err != nil {
		k.cluster.fail(fmt.Errorf("node %v refuses %+v: %w", n.id, a, err))
	}
}

// install brings the switch to what the directory wants.
func (k *control) install() error {
	view := k.dir.View()
	sw := dataplane.Switch{Name: switchName, Services: nil}
	sw.Services = append(sw.Services, serviceAddr.Addr())
	for _, c := range k.cluster.clients {
		sw.Hosts = append(sw.Hosts, dataplane.Route{
			Addr: c.host.addr.Addr(), MAC: transport.MACOf(c.host.addr.Addr()),
			Port: dataplane.Port(c.host.port),
		})
	}
	if err := install(k.cluster.sw, dataplane.Desired(view, sw)); err != nil {
		return err
	}
	if e := k.dir.SwitchSynced(switchName, view.Revision); len(e.Sends)+len(e.Publications) > 0 {
		k.do(e)
	}
	return nil
}
