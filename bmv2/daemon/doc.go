// Package daemon runs a complete software switch: ports, the v1model pipeline between them, and
// the P4Runtime server beside it. It is the pure-Go counterpart of the program
// simple_switch_grpc, made to be embedded: "turbokv switch" and the in-process cluster use the
// same [Daemon].
//
// One goroutine for each queue of a port, of which there is usually one, reads a batch of frames,
// passes each through the pipeline and collects what comes out per destination, so that a batch costs
// one write on each port that it leaves by. Frames are copied into one buffer per goroutine; nothing
// is allocated for a frame. A destination without room loses frames, which are counted, and holds
// nobody up. With several queues (workers=N) flows keep their order, frames of different flows do not.
//
// As in simple_switch_grpc, the switch starts without a program unless it is given one, drops all
// frames until a controller sends one, and takes 511 as the port that drops. Two defaults differ:
// the CPU port exists and is 510, and device ids start at 1, as most controllers expect.
package daemon
