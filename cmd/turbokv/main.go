// Command turbokv runs and uses a TurboKV cluster: switch, controller, storage nodes, clients,
// benchmarks. `turbokv help` lists what it can do.
package main

import (
	"context"
	"os"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/command"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/procs"
)

func main() {
	ctx, stop := procs.Context(context.Background())
	streams := command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	code := command.Run(ctx, os.Args[1:], streams)
	stop()
	os.Exit(code)
}
