// Package link models one cable: how long a frame travels, how fast the sender may send, how many
// frames wait for it, and which get lost. It is pure: a [Wire] is told the time and given its
// random source, and answers when a frame arrives. Package port moves frames by it.
//
// The model, for one direction:
//
//	           queue (frames)      rate            delay, loss
//	frame --> [ | | | | ] --> sending bit by bit ~~~~~~~~~~~~~~~~~> arrives
//	   tail drop when full
//
// Frames leave in the order in which they came. A frame that gets lost on the way has taken its
// time of the sender all the same. The length that counts is that of the frame from its Ethernet
// header to the end of its payload, as Linux traffic control counts it, so a topology has the
// same throughput whether tc or a port of the switch limits it. Preamble, check sequence and gap of
// real Ethernet, 24 bytes for each frame, are not counted.
package link
