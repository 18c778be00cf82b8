package clientlib

// Stats counts what a session did since Dial.
type Stats struct {
	Requests       uint64 // submitted
	Sent           uint64 // packets sent
	Retransmitted  uint64 // of them, because no answer came in time
	Refused        uint64 // answers WRONG_EPOCH and TRY_AGAIN; the request is sent again
	Corrupt        uint64 // packets that are no valid reply
	Late           uint64 // replies to requests that have ended, duplicates for the most part
	Unavailable    uint64 // requests that ended so
	OutcomeUnknown uint64 // requests that ended so
}

// Stats returns the counters of the session.
func (c *Client) Stats() Stats { panic("next") }
