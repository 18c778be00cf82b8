package command

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
)

// withHangup returns a context that ends also when the terminal goes.
func withHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// stay returns when the run is to end.
func (a *app) stay(ctx context.Context, n *netns.Net, prompt bool) error {
	<-ctx.Done()
	return nil
}
