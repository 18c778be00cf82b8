// Package etcd keeps the directory of a controller in an etcd cluster, and elects which of several
// controllers leads.
//
// Every controller campaigns with a lease of its own (etcd's election recipe, package concurrency
// of the etcd client). The leader writes a beat under the same prefix, several times a second; a
// standby that sees no beat for Config.Patience, while etcd itself answers, revokes the leader's
// lease instead of waiting for it to run out, because etcd grants none shorter than its election
// timeout allows. That is safe whatever the clocks do: each transaction of a leader is conditional
// on its election key, so one that was deposed, and does not know it yet, can store nothing.
//
// What is stored, below Config.Prefix, each record as JSON:
//
//	meta/...               cluster id and counters, term, schema version
//	nodes/ID ...           one key per record, as in the file of package store
//	journal                a commit that is too large for one transaction of etcd: the whole of it is
//	                       written first, in one key, and finished by whoever leads next
//	election/, beat        who leads, and its sign of life
package etcd
