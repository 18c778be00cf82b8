// Package randprog writes random P4 programs for the v1model architecture, to compare switches with.
// It is pure: the random source decides the program.
//
// The programs are full of what is easy to get wrong: numbers of all widths, signed and saturating
// ones too, shifts, slices, concatenations and casts; header stacks, headers that come and go; tables
// of all match kinds; hashes, checksums, registers, counters, clones, resubmits and recirculations.
// What P4 leaves undefined is mostly avoided: fields of headers that may be invalid are read only
// where isValid was asked, and indices stay within their arrays.
package randprog
