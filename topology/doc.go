// Package topology holds the nouns of a network of switches and hosts: what hangs on which port of
// which switch, how the switches are joined, and in which level of the tree each stands. It reads and
// writes the topology.json that the exercises of p4lang/tutorials use, extended, and draws the usual
// shapes: one rack, spine and leaf, fat tree.
//
// A rack is a switch of level 0 and the hosts on it. A switch of level n+1 has switches of level n below
// it. There are no links within a level.
package topology
