// Package dataplane says what a switch must hold for a directory: the one place in the controller
// that knows the tables, actions and counters of p4src/turbokv.p4, all by name. Desired is a pure
// function; comparing its result with what a switch holds is the business of package reconcile.
//
//	service_table     one row per service address
//	partition_table   the prefix cover of each created sub-range -> its id
//	sub_range_table   id -> epoch, chain, last index key and its successor; or block, while another
//	                  switch may still send to an earlier chain (invariant I2)
//	ipv4_table        nodes, learned hosts, the controller itself -> port and MAC
//	learn_table       hosts whose route is installed, so that the switch stops reporting them
//
// A sub-range that not all members have acknowledged is in no table: requests for it are answered
// with NO_KEYSPACE until it can be served.
package dataplane
