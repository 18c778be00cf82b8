package command

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/antihax/optional"
	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// eventOutput is the JSON form of an event.
type eventOutput struct {
	ID       uint64        `json:"id"`
	Time     string        `json:"time"` // RFC 3339
	Severity string        `json:"severity"`
	Kind     string        `json:"kind"`
	Node     string        `json:"node,omitempty"`
	Switch   string        `json:"switch,omitempty"`
	Keyspace string        `json:"keyspace,omitempty"`
	SubRange kv.SubRangeID `json:"sub_range,omitempty"`
	Plan     uint64        `json:"plan,omitempty"`
	Text     string        `json:"text"`
}

func eventOutputOf(e admin.Event) eventOutput {
	return eventOutput{
		ID: e.ID, Time: e.Time.UTC().Format(time.RFC3339Nano), Severity: e.Severity, Kind: e.Kind,
		Node: address(e.Node), Switch: e.Switch, Keyspace: e.Keyspace, SubRange: e.SubRange,
		Plan: e.Plan, Text: e.Text,
	}
}

// eventFlags choose events.
type eventFlags struct {
	adminFlags
	follow bool
	since  string
}

func (a *app) eventsCommand() *cobra.Command {
	var flags eventFlags
	c := &cobra.Command{
		Use:     "events",
		GroupID: groupCluster,
		Short:   "Show what has happened: failures, repairs, plans, alarms",
		Long: `Show what has happened since the controller began, as far as it remembers, oldest
first. Severities: info; warning, when the cluster helps itself; alarm, when somebody
must look: docs/OPERATIONS.md tells what each alarm means. With --output json, one JSON
object a line.`,
		Example: `  turbokv events --since 10m
  turbokv events --follow -o json | jq 'select(.severity == "alarm")'
  turbokv events --since 417              # after event number 417`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			after, since, err := parseSince(flags.since, time.Now())
			if err != nil {
				return err
			}
			return a.withAdminUntil(cmd.Context(), flags.adminFlags,
				func(ctx context.Context, c *admin.Client) error {
					return a.events(ctx, c, flags.follow, after, since)
				})
		},
	}
	flags.add(c)
	c.Flags().BoolVarP(&flags.follow, "follow", "f", false,
		"go on with what happens next, until ctrl-C")
	c.Flags().StringVar(&flags.since, "since", "",
		"only what happened since: a `time` ago as 10m, a time as 2026-03-01T02:30:00Z, "+
			"or the number of an event")
	return c
}

// parseSince reads --since: either an event id or a time.
func parseSince(text string, now time.Time) (after uint64, since time.Time, err error) {
	if text == "" {
		return 0, since, nil
	}
	if id, err := strconv.ParseUint(text, 10, 64); err == nil {
		return id, since, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return 0, now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if since, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return 0, since, nil
		}
	}
	return 0, since, usagef("--since %q: must be a duration as 10m, a time as 2026-03-01T02:30:00Z, "+
		"or the number of an event", text)
}

// events prints events until there are no more or, if it follows, ctx ends.
func (a *app) events(
	ctx context.Context, c *admin.Client, follow bool, after uint64, since time.Time,
) error {
	asked := ctx
	if !follow {
		var cancel context.CancelFunc
		asked, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	opts := &admin.EventsOpts{After: optional.NewUint64(after), Follow: optional.NewBool(follow)}
	for e, err := range c.Events(asked, opts) {
		switch {
		case err != nil && follow && ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case e.Time.Before(since):
			continue
		}
		err := a.printLine(eventOutputOf(e), func(w io.Writer) error { return a.eventLine(w, e) })
		if err != nil {
			return err
		}
	}
	if follow && ctx.Err() == nil {
		return fmt.Errorf("%w: it ended the stream of events", admin.ErrUnavailable)
	}
	return nil
}

// Colours of severities on a terminal; the words say the same.
var colours = map[string]string{
	admin.SeverityWarning: "\x1b[33m", admin.SeverityAlarm: "\x1b[1;31m",
}

func (a *app) eventLine(w io.Writer, e admin.Event) error {
	severity := fmt.Sprintf("%-7s", e.Severity)
	if _, _, terminal := a.terminal(); terminal && colours[e.Severity] != "" {
		severity = colours[e.Severity] + severity + "\x1b[0m"
	}
	at := e.Time.Local().Format("2006-01-02 15:04:05.000")
	_, err := fmt.Fprintf(w, "%s  %s  %s\n", at, severity, shown(e.Text))
	return err
}
