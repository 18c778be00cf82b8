// Package etcdbench runs a three-member etcd, embedded from its Go module, as the store to compare
// TurboKV with: all members in this process, or each in a process of its own that this program
// starts from its own executable.
//
// The comparison is at equal durability. A write of TurboKV with durability sync is on stable
// storage at every replica when it is acknowledged; etcd's default is on stable storage at a
// majority. For durability memory etcd runs with its unsafe-no-fsync option. Reads are
// linearizable in both (etcd's default).
package etcdbench
