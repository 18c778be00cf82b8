package command

import (
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// switchLog says where the built-in switch logs, and how much: as simple_switch_grpc is told.
type switchLog struct {
	console bool
	file    string
	level   string
}

// levelPackets is the level at which each packet is followed.
const levelPackets = slog.LevelDebug - 4

var switchLevels = map[string]slog.Level{
	"trace": levelPackets, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn,
	"error": slog.LevelError, "off": slog.LevelError + 4,
}

func (l *switchLog) add(flags *pflag.FlagSet) {
	flags.BoolVar(&l.console, "log-console", false,
		"log to standard output, each packet included unless --log-level says less")
	flags.StringVar(&l.file, "log-file", "", "log to this `file`, as --log-console does")
	flags.StringVarP(&l.level, "log-level", "L", "",
		"what is logged: `LEVEL` trace, debug, info, warn, error or off (default: trace with --log-console "+
			"or --log-file, else info)")
}

func (l *switchLog) check() error {
	if l.console && l.file != "" {
		return usagef("--log-console and --log-file: choose one")
	}
	if _, ok := switchLevels[l.level]; !ok && l.level != "" {
		return usagef("--log-level %q: must be one of %s", l.level,
			strings.Join(slices.Sorted(maps.Keys(switchLevels)), ", "))
	}
	return nil
}

// chosen reports whether somebody asked for a log.
func (l *switchLog) chosen() bool { return l.console || l.file != "" }

// packets reports whether each packet is followed.
func (l *switchLog) packets() bool {
	return l.chosen() && (l.level == "" || l.level == "trace")
}

// open returns where the log goes, and what closes it.
func (l *switchLog) open(s Streams) (w io.Writer, done func() error, err error) {
	none := func() error { return nil }
	switch {
	case l.console:
		return s.Out, none, nil
	case l.file == "":
		return s.Err, none, nil
	}
	f, err := os.Create(l.file)
	if err != nil {
		return nil, none, usagef("--log-file: %w", err)
	}
	return f, f.Close, nil
}

// logger logs to w.
func (l *switchLog) logger(w io.Writer, verbose bool) *slog.Logger {
	level, chosen := switchLevels[l.level]
	switch {
	case chosen:
	case l.chosen():
		level = levelPackets
	case verbose:
		level = slog.LevelDebug
	default:
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})).With("part", "switch")
}
