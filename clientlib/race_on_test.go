//go:build race

package clientlib_test

const raceEnabled = true
