// Package memory is an ordered engine in memory, for sub-ranges whose durability is memory.
//
// Three structures share the work, none of which holds a pointer per record, so the garbage
// collector has nothing to walk however many records there are:
//
//	slabs   records (key and value together) in large byte slabs, in blocks of graded sizes
//	hash    key -> record, open addressing; serves Get and finds the record to overwrite
//	tree    records in key order, a B-tree of 4-byte references; serves Scan and DeleteRange
//
// An update of a record that stays within its block's size touches no structure but the block.
// The alternatives measured against this layout stand in BENCHMARKS.md beside package engine.
package memory
