package clientlib

import (
	"context"
	"time"

	"github.com/turbokv/turbokv/clientlib/session"
)

type driver struct{}

type call struct {
	client *Client
	result Result
}

func (cfg Config) complete() (Config, error)       { panic("next") }
func newDriver(cfg Config) (*driver, error)        { panic("next") }
func (d *driver) close() error                     { panic("next") }
func (d *driver) at(t time.Time) time.Duration     { panic("next") }
func (d *driver) now() time.Duration               { panic("next") }
func (c *Client) newCall(r session.Request) *call  { panic("next") }
func (c *Client) submit(context.Context, *call)    { panic("next") }
func (c *Client) await(context.Context, *call) Result { panic("next") }
func (c *Client) run(context.Context, *call) Result { panic("next") }
