// Package hops puts what a packet met in a switch into the words of the store: which request it is,
// which entries of which tables decided about it, and where it went. It is pure. The traces come from
// package bmv2/trace, which knows nothing of keys; the names of tables, actions and fields here are
// those of package p4src.
package hops
