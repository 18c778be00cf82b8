package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/dataset"
)

// loadOutput is the JSON form of what a load did.
type loadOutput struct {
	Records uint64  `json:"records"`
	Seconds float64 `json:"seconds"`
}

func (a *app) loadCommand() *cobra.Command {
	var flags clientFlags
	var format string
	var inFlight int
	c := &cobra.Command{
		Use:     "load FILE",
		GroupID: groupData,
		Short:   "Store the records of a CSV or JSON lines file",
		Long: `Store the records of a file; "-" stands for standard input.

CSV has two columns, key and value, or a header that names these two among others.
JSON lines are objects with the members "key" and "value", strings or {"base64":
"..."}: what scan -o json prints. The load stops at the first record that cannot be
stored.`,
		Example: `  turbokv load users.csv
  turbokv scan -o json --limit 0 | turbokv load - --format jsonl -k copy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if inFlight < 1 {
				return usagef("--in-flight %d: must be at least 1", inFlight)
			}
			in, name, err := a.open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			if format == "" {
				format = formatOf(name)
			}
			records, err := dataset.New(format, in)
			if err != nil {
				return usagef("%s: %w", name, err)
			}
			return a.withWriter(cmd.Context(), flags, func(client *clientlib.Client) error {
				return a.load(cmd.Context(), client, records, inFlight)
			})
		},
	}
	flags.addCluster(c)
	c.Flags().StringVar(&format, "format", "",
		"csv or jsonl (default by the file's name: jsonl for .jsonl, .ndjson and .json, else csv)")
	c.Flags().IntVar(&inFlight, "in-flight", 128, "requests in flight")
	return c
}

// open opens a file, or standard input for "-".
func (a *app) open(path string) (in io.ReadCloser, name string, err error) {
	if path == "-" {
		return io.NopCloser(a.In), "standard input", nil
	}
	f, err := os.Open(path)
	return f, path, err
}

func formatOf(name string) string {
	for _, suffix := range []string{".jsonl", ".ndjson", ".json"} {
		if strings.HasSuffix(name, suffix) {
			return dataset.JSONLines
		}
	}
	return dataset.CSV
}

// load stores all records with several requests in flight.
func (a *app) load(
	ctx context.Context, client *clientlib.Client, records dataset.Reader, inFlight int,
) error {
	start := time.Now()
	var stored atomic.Uint64
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	var readErr error
	for groupCtx.Err() == nil {
		var r dataset.Record
		if r, readErr = records.Read(); readErr != nil {
			break
		}
		group.Go(func() error {
			if _, err := client.Put(groupCtx, r.Key, r.Value, nil); err != nil {
				return err
			}
			stored.Add(1)
			return nil
		})
	}
	err := group.Wait()
	if err == nil && !errors.Is(readErr, io.EOF) {
		err = readErr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("after %d records: %w", stored.Load(), err)
	}
	out := loadOutput{Records: stored.Load(), Seconds: time.Since(start).Seconds()}
	return a.print(out, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d records in %.2f s\n", out.Records, out.Seconds)
		return err
	})
}
