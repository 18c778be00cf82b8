// Package stf reads packet tests in p4c's simple test framework (.stf) format and runs them on a
// v1model switch.
//
// A file is a list of commands, one per line; # starts a comment. Packets are processed one
// after the other; what leaves the switch is compared at the end, port by port, in order.
//
//	packet <port> <hex>                     send a frame
//	expect <port> <hex>                     a frame must leave; * is any digit; the frame may be
//	                                        longer unless the pattern ends with $
//	expect <port>                           any number of frames may leave
//	no_packet                               nothing must leave at all
//	add <table> [prio] <key>:<value>... <action>(<param>:<value>, ...) [= <label>]
//	setdefault <table> <action>(...)
//	value_set <name> <member>...            replace the members of a parser value set; a member has
//	                                        its parts joined by commas, each a number or value&&&mask
//	check_counter <name>(<index or label>) [packets|bytes ==|!=|<|<=|>|>= <number>]
//	remove all                              delete all table entries
//	wait                                    nothing, since there is nothing to wait for
//	mirroring_add <session> <port>          mirroring_add_mc <session> <group>
//	mirroring_delete <session>
//	mc_mgrp_create <group>                  mc_node_create <rid> <port>...
//	mc_node_update <node> <port>...         mc_node_associate <group> <node>
//	counter_write <name> <index> <packets> <bytes>
//	register_write <name> <index> <value>   register_reset <name>
//	meter_set_rates <name> <index> <rate>:<burst> <rate>:<burst>
//	meter_array_set_rates <name> <rate>:<burst> <rate>:<burst>
//	                                        committed, then peak; rates per microsecond; time stands
//	                                        still during a test
//	counter_read, register_read, meter_get_rates, mirroring_get  accepted, without effect
//
// Numbers are decimal, 0x hexadecimal or 0b binary. Key values also take the forms
//
//	0x12**        ternary: * digits match anything; lpm: the prefix ends before the first *
//	<value>/<n>   lpm with a prefix of n bits
//	<low>-><high> range
//
// Names of tables, actions and keys may be shortened to a suffix that is unique, a missing key
// matches everything (exact: zero), and the entry with the largest priority wins: all as in
// p4c's own runner for simple_switch.
package stf
