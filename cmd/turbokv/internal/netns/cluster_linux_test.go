package netns_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/netplan"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/transport"
)

func TestOneRack(t *testing.T) { onEachSwitch(t, "single:4", oneRack) }

func TestSpineAndLeaf(t *testing.T) { onEachSwitch(t, "spine-leaf:2x3x2", spineAndLeaf) }

// onEachSwitch runs a test on a network of built-in switches, and on one of simple_switch_grpc.
func onEachSwitch(t *testing.T, shape string, test func(*network)) {
	requireNamespaces(t)
	path := program(t)
	for _, kind := range []netplan.Kind{netplan.Builtin, netplan.BMv2} {
		t.Run(string(kind), func(t *testing.T) {
			if err := netns.Need(netplan.DefaultSimpleSwitch); kind == netplan.BMv2 && err != nil {
				t.Skip(err)
			}
			test(up(t, planOf(t, shape, netplan.Options{Switch: kind, Binary: path})))
		})
	}
}

// oneRack is the life of a cluster behind one switch.
func oneRack(n *network) {
	const client = "h5"
	n.testHosts(client, "h1")
	n.must(client, "turbokv", "keyspace", "create", "fruit", "--cut", "g", "--cut", "n", "--cut", "t")
	n.testRecords(client, client)
	n.testScan(client)
	n.keyspace("watched")
	w := n.watchFrom("watched", client)
	n.testAlone(client)
	n.testSwitchRestart(w, "s1", client)
	n.testNode(w, "h2", client)
	n.testCable(w, "h3", "s1", client)
	w.judge()
	n.prints("kiwi\npeach\n", client, "scan", "-k", "fruit", "h", "t", "--keys")
}

// spineAndLeaf is the life of a cluster of three racks: h1, h2 and client h3 at s1, and so on.
func spineAndLeaf(n *network) {
	clients := []string{"h3", "h6", "h9"}
	n.testHosts("h3", "h7")
	n.must("h3", "turbokv", "keyspace", "create", "fruit", "--cut", "g", "--cut", "n", "--cut", "t")
	n.testRecords("h3", "h9")
	n.testScan("h6")
	n.keyspace("watched")
	w := n.watchFrom("watched", clients...)
	w.progress("all racks are served", clients...)
	n.testNode(w, "h4", clients...)
	n.testMove(w, clients...)
	n.testLink(w, "s1", "s4", clients...)
	n.testSwitchRestart(w, "s5", clients...)
	n.testRack(w, "s2", "h3", "h9")
	w.progress("all racks are served again", clients...)
	w.judge()
	n.prints("kiwi\npeach\n", "h6", "scan", "-k", "fruit", "h", "t", "--keys")
}

// keyspace creates one for a watch, by hash, so that its keys are everywhere.
func (n *network) keyspace(name string) {
	n.t.Helper()
	n.must(netplan.Ctl, "turbokv", "keyspace", "create", name, "--partitioner", "hash", "--sub-ranges", "12",
		"--durability", "memory")
}

// testHosts: hosts are as they are. They find their way by ARP, and TCP gets through.
func (n *network) testHosts(from, to string) {
	n.t.Helper()
	address := n.address(to)
	if err := netns.Need("ping"); err != nil {
		n.t.Log(err)
	} else {
		n.must(from, "ping", "-c", "3", "-i", "0.2", "-W", "5", address)
	}
	if err := netns.Need("iperf3"); err != nil {
		n.t.Log(err)
	} else {
		n.testTCP(from, to)
	}
	n.must(from, "turbokv", "get", "-k", "system", "system")
	if text := n.must(from, "ip", "neigh"); !strings.Contains(text, transport.GatewayMAC.String()) {
		n.t.Errorf("%s knows as neighbours:\n%s", from, text)
	}
}

func (n *network) address(host string) string {
	h, ok := n.Plan().Topology.Host(host)
	if !ok {
		n.t.Fatalf("there is no host %s", host)
	}
	return h.Addr.Addr().String()
}

// testTCP moves bytes for a second.
func (n *network) testTCP(from, to string) {
	n.t.Helper()
	server, err := n.Command(n.t.Context(), to, "iperf3", "-s", "-1")
	if err != nil {
		n.t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		n.t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	var rate float64
	await(n.t, "iperf3", func() error { // the server may not listen yet
		text, err := n.in(from, "iperf3", "-c", n.address(to), "-t", "1", "-J")
		if err != nil {
			return err
		}
		rate, err = received(text)
		return err
	})
	n.t.Logf("iperf3 from %s to %s: %.0f Mbit/s", from, to, rate/1e6)
}

// received is the rate in bit/s that iperf3 tells of.
func received(text string) (float64, error) {
	var result struct {
		Error string
		End   struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	err := json.Unmarshal([]byte(text), &result)
	if rate := result.End.Received.Rate; err != nil || rate > 0 {
		return rate, err
	}
	return 0, fmt.Errorf("nothing was received: %s", result.Error)
}

// testRecords writes in one host and reads in another.
func (n *network) testRecords(writer, reader string) {
	n.t.Helper()
	for _, key := range []string{"apple", "kiwi", "peach", "zucchini"} {
		n.must(writer, "turbokv", "put", "-k", "fruit", key, "a "+key)
		n.prints("a "+key+"\n", reader, "get", "-k", "fruit", key)
	}
	n.refuses(3, reader, "get", "-k", "fruit", "absent")
	n.prints("5\n", writer, "incr", "-k", "fruit", "count", "5")
	n.prints("7\n", reader, "incr", "-k", "fruit", "count", "2")
	var record struct{ Version uint64 }
	text := n.must(reader, "turbokv", "get", "-k", "fruit", "apple", "-o", "json")
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		n.t.Fatal(err)
	}
	version := strconv.FormatUint(record.Version, 10)
	n.must(writer, "turbokv", "cas", "-k", "fruit", "apple", version, "two apples")
	n.refuses(4, writer, "cas", "-k", "fruit", "apple", version, "three apples")
	n.prints("two apples\n", reader, "get", "-k", "fruit", "apple")
}

// refuses runs a turbokv command in a place that must end with an exit code.
func (n *network) refuses(code int, place string, args ...string) {
	n.t.Helper()
	_, err := n.in(place, append([]string{"turbokv"}, args...)...)
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != code {
		n.t.Errorf("%s: %v: %v, not exit code %d", place, args, err, code)
	}
}

// testScan crosses all cuts. Then the counters of the switches must tell of reads in every sub-range:
// all but the first can have them from the scan only.
func (n *network) testScan(reader string) {
	n.t.Helper()
	want := "kiwi\ta kiwi\npeach\ta peach\nzucchini\ta zucchini\n"
	n.prints("apple\ttwo apples\ncount\t\x00\x00\x00\x00\x00\x00\x00\x07\n"+want, reader,
		"scan", "-k", "fruit", "a", "zz")
	n.prints("kiwi\npeach\n", reader, "scan", "-k", "fruit", "h", "t", "--keys")
	await(n.t, "counters", func() error {
		read := 0
		for _, r := range n.subRanges("fruit") {
			if r.State == "serving" && r.Reads > 0 && r.Writes > 0 {
				read++
			}
		}
		if read != 4 {
			return fmt.Errorf("%d of 4 sub-ranges were read and written", read)
		}
		return nil
	})
}

// status asks the controller.
func (n *network) status() (admin.Status, error) {
	client, err := netns.Admin(n.Plan())
	if err != nil {
		return admin.Status{}, err
	}
	defer client.Close()
	return client.Status(n.t.Context())
}

// subRanges returns those of a keyspace; none while there is no controller.
func (n *network) subRanges(keyspace string) (out []admin.SubRange) {
	s, err := n.status()
	if err != nil {
		return nil
	}
	for _, k := range s.Keyspaces {
		for _, r := range s.SubRanges {
			if k.Name == keyspace && r.Keyspace == k.ID {
				out = append(out, r)
			}
		}
	}
	return out
}

// whole waits until all is up and every sub-range has its three members again.
func (n *network) whole() {
	n.t.Helper()
	n.ready()
	await(n.t, "all is whole", func() error {
		s, err := n.status()
		if err != nil {
			return err
		}
		for _, r := range s.SubRanges {
			if len(r.Chain) != 3 || r.State != "serving" || r.Plan != 0 {
				return fmt.Errorf("%+v", r)
			}
		}
		return nil
	})
}

// without waits until a node is in no chain.
func (n *network) without(node string) {
	n.t.Helper()
	await(n.t, node+" is in no chain", func() error {
		s, err := n.status()
		if err != nil {
			return err
		}
		for _, r := range s.SubRanges {
			for _, member := range r.Chain {
				if member.String() == n.address(node) {
					return fmt.Errorf("%+v", r)
				}
			}
		}
		return nil
	})
}

// must do something to the network.
func (n *network) do(f func(string) error, name string) {
	n.t.Helper()
	if err := f(name); err != nil {
		n.t.Fatal(err)
	}
}

// testAlone kills the controller: the rest goes on serving. A new one finds what the old one knew.
func (n *network) testAlone(client string) {
	n.t.Helper()
	n.do(n.Kill, netplan.ControllerName)
	n.must(client, "turbokv", "put", "-k", "fruit", "fig", "alone")
	n.prints("alone\n", client, "get", "-k", "fruit", "fig")
	n.prints("kiwi\npeach\n", client, "scan", "-k", "fruit", "h", "t", "--keys")
	n.refuses(5, netplan.Ctl, "status")
	n.do(n.Start, netplan.ControllerName)
	n.whole()
	n.must(client, "turbokv", "keyspace", "create", "nuts", "--durability", "sync")
	n.must(client, "turbokv", "put", "-k", "nuts", "hazel", "brown")
	n.prints("brown\n", client, "get", "-k", "nuts", "hazel")
}

// testSwitchRestart kills a switch and starts an empty one: the controller brings it back, and nobody
// has to do anything.
func (n *network) testSwitchRestart(w *watch, sw string, clients ...string) {
	n.t.Helper()
	n.do(n.Kill, sw)
	if len(n.Plan().Switches()) > 1 {
		w.progress("without "+sw, clients...)
	}
	n.do(n.Start, sw)
	w.progress(sw+" is back", clients...)
	n.whole()
}

// testNode kills a node: its chains go on without it and are complete again. Then it comes back.
func (n *network) testNode(w *watch, node string, clients ...string) {
	n.t.Helper()
	n.do(n.Kill, node)
	n.without(node)
	w.progress("without "+node, clients...)
	n.do(n.Start, node)
	n.whole()
	w.progress(node+" is back", clients...)
}

// testCable cuts the cable of a node that goes on to speak with the controller, over another network:
// its chains go on without it all the same.
func (n *network) testCable(w *watch, node, sw string, clients ...string) {
	n.t.Helper()
	n.link(node, sw, false)
	n.without(node)
	w.progress("without the cable of "+node, clients...)
	n.link(node, sw, true)
	n.whole()
}

func (n *network) link(a, b string, up bool) {
	n.t.Helper()
	if err := n.Link(a, b, up); err != nil {
		n.t.Fatal(err)
	}
}

// testMove moves a replica into another rack.
func (n *network) testMove(w *watch, clients ...string) {
	n.t.Helper()
	r := n.subRanges("watched")[0]
	from := r.Chain[1]
	to := n.elsewhere(r.Chain, from)
	n.must(netplan.Ctl, "turbokv", "move", fmt.Sprint(uint32(r.ID)), "--from", from.String(), "--to", to, "--wait")
	w.progress("after a move", clients...)
}

// elsewhere finds a node that is no member of a chain, if possible in another rack than from.
func (n *network) elsewhere(chain kv.Chain, from kv.NodeID) (to string) {
	n.t.Helper()
	rackOf := func(a string) (rack string) {
		for _, h := range n.Plan().Topology.Hosts {
			if h.Addr.Addr().String() == a {
				end, _ := n.Plan().Topology.Rack(h.Name)
				rack = end.Name
			}
		}
		return rack
	}
	for _, name := range n.Plan().Nodes() {
		a := n.address(name)
		member := slices.ContainsFunc(chain, func(id kv.NodeID) bool { return id.String() == a })
		if !member && (to == "" || rackOf(a) != rackOf(from.String())) {
			to = a
		}
	}
	return to
}

// testLink cuts a link between a leaf and a spine: all goes the other way.
func (n *network) testLink(w *watch, leaf, spine string, clients ...string) {
	n.t.Helper()
	for _, up := range []bool{false, true} {
		n.link(leaf, spine, up)
		w.progress(fmt.Sprintf("link %s %s up: %t", leaf, spine, up), clients...)
	}
	n.whole()
}

// testRack loses a rack, its switch and all its nodes at once. The clients of the others go on.
func (n *network) testRack(w *watch, sw string, clients ...string) {
	n.t.Helper()
	for _, p := range n.Plan().Rack(sw) {
		n.do(n.Kill, p.Name)
	}
	w.progress("without rack "+sw, clients...)
	for _, p := range n.Plan().Rack(sw) {
		if p.Role == netplan.NodeRole {
			n.without(p.Name)
		}
	}
	w.progress("without rack "+sw, clients...)
	for _, p := range n.Plan().Rack(sw) {
		n.do(n.Start, p.Name)
	}
	n.whole()
}
