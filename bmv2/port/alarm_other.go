//go:build !linux

package port

func newAlarm() alarm { return newTimerAlarm() }
