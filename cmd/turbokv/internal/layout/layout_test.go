package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/cluster"
)

func TestNoAddressIsUsedTwice(t *testing.T) {
	p := Plan{Nodes: cluster.MaxNodes, Base: DefaultBase, DataDir: "data"}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{p.Controller(): "controller", p.P4Runtime(): "p4runtime",
		p.Up(): "up", p.HTTP(): "http", p.SwitchMetrics(): "metrics of the switch"}
	for i := range p.Nodes {
		seen[p.NodeMetrics(i)] = "metrics of a node"
	}
	if want := 5 + p.Nodes; len(seen) != want {
		t.Errorf("%d addresses of %d parts", len(seen), want)
	}
	numbers := map[uint16]bool{}
	for _, arg := range p.switchProcess().Args {
		if !strings.Contains(arg, "@") {
			continue
		}
		spec, err := port.ParseSpec(arg)
		if err != nil {
			t.Fatal(err)
		}
		if numbers[spec.Number] {
			t.Errorf("port number %d is used twice", spec.Number)
		}
		numbers[spec.Number] = true
		for _, address := range []string{spec.UDP.Local, spec.UDP.Remote} {
			if other, taken := seen[address]; taken {
				t.Errorf("%s: %s and %s", address, other, arg)
			}
			seen[address] = arg
		}
	}
	if len(numbers) != cluster.MaxNodes+GatewaySlots {
		t.Errorf("%d ports", len(numbers))
	}
}

func TestNodesAreCountedUpToTheHighestNumber(t *testing.T) {
	dir := t.TempDir()
	if n := NodesIn(filepath.Join(dir, "absent")); n != 0 {
		t.Errorf("%d nodes in nothing", n)
	}
	for _, i := range []int{0, 3} {
		if err := os.Mkdir(NodeDir(dir, i), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if n := NodesIn(dir); n != 4 {
		t.Errorf("%d nodes, want 4", n)
	}
}

// A node that is added while the cluster runs finds its port there.
func TestTheSwitchHasPortsToSpare(t *testing.T) {
	p := Plan{Nodes: 3, Base: DefaultBase, DataDir: "data"}
	cables := strings.Join(p.switchProcess().Args, " ")
	last := p.cable(p.Ports(), offNodeSwitch+p.Ports()-1, offNodeHost+p.Ports()-1)
	if p.Ports() != 3+SpareNodes || !strings.Contains(cables, last.String()) {
		t.Errorf("no port %v in %s", last, cables)
	}
}

// The node's end of its cable must be the switch's other end.
func TestNodesHangOnTheirPorts(t *testing.T) {
	p := Plan{Nodes: 3, Base: DefaultBase, DataDir: "data"}
	cables := strings.Join(p.switchProcess().Args, " ")
	for i := range p.Nodes {
		args := p.NodeProcess(i).Args
		var network, number string
		for k, arg := range args {
			switch arg {
			case "--network":
				network = strings.TrimPrefix(args[k+1], "tunnel:")
			case "--port":
				number = args[k+1]
			}
		}
		host, sw, _ := strings.Cut(network, ",")
		if want := number + "@udp:" + sw + "," + host; !strings.Contains(cables, want) {
			t.Errorf("node %d: the switch has no port %s", i+1, want)
		}
	}
}

func TestPlansThatDoNotFit(t *testing.T) {
	for _, p := range []Plan{
		{Nodes: 0, Base: DefaultBase, DataDir: "d"},
		{Nodes: cluster.MaxNodes + 1, Base: DefaultBase, DataDir: "d"},
		{Nodes: 1, Base: 80, DataDir: "d"}, {Nodes: 1, Base: 65500, DataDir: "d"},
		{Nodes: 1, Base: DefaultBase},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}
