package daemon

import (
	"context"
	"time"
)

// idleScan is how often the entries of tables with idle timeouts are looked at. Timeouts are as
// exact as this, which is far below what controllers ask for.
const idleScan = 50 * time.Millisecond

// watchIdle reports idle entries until the context ends.
func (d *Daemon) watchIdle(ctx context.Context) {
	ticker := time.NewTicker(idleScan)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if sw := d.sw.Load(); sw != nil {
				d.server.Idle(sw.Expired())
			}
		}
	}
}
