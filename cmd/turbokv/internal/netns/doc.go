// Package netns builds what a plan says in network namespaces of Linux, with the ip command, runs the
// plan's processes in them, and breaks and mends parts of it.
//
// Up builds and owns a network until Close; with the owner, however it ends, go its processes. Open
// gives any other process a hand on a network that somebody has built, by its run file: it is the same
// for namespaces of this package and for hosts of Mininet. Down removes what an owner left behind.
package netns
