// Package dataplane says what a switch must hold for a directory: the one place in the controller
// that knows the tables, actions and counters of p4src/turbokv.p4, all by name. Desired is a pure
// function; comparing its result with what a switch holds is the business of package reconcile.
//
//	service_table     one row per service address
//	partition_table   the prefix cover of each created sub-range -> its id, at its home; elsewhere
//	                  prefixes -> up, or down to the switch below which the home is
//	sub_range_table   at the home: id -> epoch, chain, last index key and its successor; or block
//	ipv4_table        nodes, learned hosts, the controller itself -> port and MAC; other racks, by subnet
//	                  where that is all in one rack -> port, or group of equally short ways
//	hop_table         groups: 16 slots each; those of a neighbour that is lost go to the others
//	port_table        ports towards switches above and below; all others lead to hosts
//	learn_table       hosts whose route is installed, so that the switch stops reporting them
//
// A sub-range that not all members have acknowledged is in no table: requests for it are answered
// with NO_KEYSPACE until it can be served.
//
// The switches of a topology form a Fabric, and the index is distributed over them: a rack has the detail
// of the sub-ranges whose home it is, and sends all else up; the others have aggregates only, in the
// smallest tables there are (package lpm). CostOf says what that takes. A switch without Fabric stands
// alone and has everything.
package dataplane
