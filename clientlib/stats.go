package clientlib

import "github.com/turbokv/turbokv/clientlib/session"

// Stats counts what a session did since Dial, and tells its state at the moment.
type Stats = session.Stats

// Stats returns the counters of the session, which all its Clients share.
func (c *Client) Stats() Stats {
	d := c.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.session.Stats()
}
