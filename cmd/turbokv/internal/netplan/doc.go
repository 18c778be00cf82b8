// Package netplan says how a topology becomes a network of namespaces on one machine: every place
// (host, switch, controller) with its interfaces, the cables between them, the commands that prepare
// each place, and the command line of every process. It only plans; package netns, or Mininet, builds
// what a plan says.
//
// There are two networks. The data network has the links of the topology. Its hosts are ordinary: an
// address with a prefix length, and a default route via an address that nobody owns, because switches
// answer every ARP request themselves. Ports of switches have no address. The management network has
// a cable of its own from place "ctl", where the controller runs, to each switch and storage node.
//
//	ctl 10.253.0.1/30 ------- 10.253.0.2/30 ctl0, s1
//	    10.253.0.5/30 ---+              s1-eth1 | | s1-eth2
//	                     |                      | |
//	             ctl0, h1 10.253.0.6/30         | +---- eth0, h2 10.0.1.2/24
//	                   eth0 10.0.1.1/24 --------+
//
// Whoever builds a plan makes the places, joins them by Plan.Cables with the names of interfaces that
// stand there, writes Plan.Files, runs Place.Setup in each place, and starts Plan.Processes in order.
// What is where then stands in a file, see Run, that tools work on.
package netplan
