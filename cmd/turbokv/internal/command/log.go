package command

import "log/slog"

// logger writes events to standard error as text: what the libraries report, programs log.
func (a *app) logger(part string) *slog.Logger {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	handler := slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: level})
	return slog.New(handler).With("part", part)
}
