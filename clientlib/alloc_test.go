package clientlib_test

import (
	"context"
	"testing"
)

// TestNoAllocationPerOperation counts the allocations of all goroutines: caller, receiver, clock.
func TestNoAllocationPerOperation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	c, ctx := dialEcho(t, 100), context.Background()
	value, dst := make([]byte, 100), []byte(nil)
	b := c.NewBatch()
	for name, op := range map[string]func() error{
		"get": func() (err error) { dst, _, err = c.GetAppend(ctx, key, dst[:0]); return err },
		"put": func() error { _, err := c.Put(ctx, key, value, nil); return err },
		"batch": func() error {
			b.Reset()
			for range 32 {
				b.Get(key)
				b.Put(key, value, nil)
			}
			return b.Do(ctx)
		},
	} {
		n := testing.AllocsPerRun(500, func() {
			if err := op(); err != nil {
				t.Fatal(err)
			}
		})
		if n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
