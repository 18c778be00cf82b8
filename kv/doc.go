// Package kv holds the nouns of the key-value side: what a sub-range, a chain, an epoch, an index
// key and a keyspace are. It has no behaviour beyond comparing, printing and covering, imports
// nothing of this module, and is imported by every other room but bmv2.
//
// A keyspace is a set of keys with one partitioner and one durability. Its index keys, 16 bytes
// each, form a line from 0 to 2^128-1 that is cut into sub-ranges. A sub-range is replicated on a
// chain of nodes (van Renesse and Schneider, OSDI 2004): updates enter at the head, reads are
// answered by the tail. Every change of a chain raises the epoch of its sub-range.
package kv
