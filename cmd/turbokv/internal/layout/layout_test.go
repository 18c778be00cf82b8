package layout

import (
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
	seen := map[string]string{p.Controller(): "controller", p.P4Runtime(): "p4runtime"}
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

// The node's end of its cable must be the switch's other end.
func TestNodesHangOnTheirPorts(t *testing.T) {
	p := Plan{Nodes: 3, Base: DefaultBase, DataDir: "data"}
	cables := strings.Join(p.switchProcess().Args, " ")
	for i := range p.Nodes {
		args := p.nodeProcess(i).Args
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
