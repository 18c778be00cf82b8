//go:build !linux

package netns

import (
	"os/exec"
	"syscall"
)

// Inside needs Linux.
func Inside(string, func() error) error { return errNotLinux }

// ChecksumInSoftware needs Linux.
func ChecksumInSoftware(string) error { return errNotLinux }

func detach(*exec.Cmd) {}

func leave(*exec.Cmd) {}

func lock(string) (unlock func(), err error) { return nil, errNotLinux }

func signal(int, syscall.Signal) error { return errNotLinux }
