// Package links finds out which cables between switches carry frames, by LLDP (IEEE 802.1AB): every
// 100 ms the controller has each switch send a frame by each port towards another switch, saying
// which switch and port sent it, and each switch hands what it gets to the controller. It is a pure
// state machine: time, frames, port states and sessions go in; frames to send and changes come out.
//
// Each of the two directions of a link is judged by itself:
//
//	silent      Missed frames in a row have not arrived
//	wrong       another neighbour than the topology says has been heard
//	port down   the switch that should hear has lost the signal
//
// and well again when the right neighbour, and only it, was heard in Heard intervals in a row (or,
// after a port was down, when the switch says that it is up). A link works if both directions do: a
// cable that carries one way only loses half of all packets, and their acknowledgements.
//
// No news is no failure. A link is judged only while the controller has sessions with both of its
// switches; else it stays as it was, because a switch that the controller cannot reach goes on
// forwarding. And when no switch at all has heard anything, though several links should have
// carried frames, then the controller itself was deaf or late, and the interval counts for nobody:
// else an overloaded controller would tear down the network that it looks after.
package links
