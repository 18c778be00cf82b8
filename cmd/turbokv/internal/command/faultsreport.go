package command

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/outage"
	"github.com/turbokv/turbokv/workload/runner"
)

// faultOutput is what the command faults prints.
type faultOutput struct {
	Kills        []killResult        `json:"kills"`
	Counters     outage.Verdict      `json:"counters"`
	Verification runner.Verification `json:"verification"`
}

// killResult is what one kill did. Durations are nanoseconds in JSON.
type killResult struct {
	Name    string        `json:"killed"`
	Before  time.Duration `json:"worst_gap_before_ns"` // of reads and writes, under load, without a fault
	After   time.Duration `json:"worst_gap_after_ns"`  // while the killed part came back
	Evicted time.Duration `json:"evicted_ns,omitempty"`
	// TakenOver is when another controller led, knew every node and had the switch in its hands.
	TakenOver time.Duration `json:"taken_over_ns,omitempty"`
	Repaired  time.Duration `json:"repaired_ns,omitempty"`
	Moved     uint64        `json:"moved_bytes,omitempty"`
	Roles     []roleOutage  `json:"roles"`
}

// roleOutage sums up the sub-ranges in which the killed nodes had one role.
type roleOutage struct {
	Role        string        `json:"role"`
	SubRanges   int           `json:"sub_ranges"`
	ReadMedian  time.Duration `json:"read_median_ns"`
	ReadMax     time.Duration `json:"read_max_ns"`
	WriteMedian time.Duration `json:"write_median_ns"`
	WriteMax    time.Duration `json:"write_max_ns"`

	reads, writes []time.Duration
}

func (o *roleOutage) sum() {
	slices.Sort(o.reads)
	slices.Sort(o.writes)
	o.ReadMedian, o.ReadMax = o.reads[len(o.reads)/2], o.reads[len(o.reads)-1]
	o.WriteMedian, o.WriteMax = o.writes[len(o.writes)/2], o.writes[len(o.writes)-1]
}

// worst is the longest gap of all parts.
func worst(gaps []outage.Gap) (longest time.Duration) {
	for _, g := range gaps {
		longest = max(longest, g.Read, g.Write)
	}
	return longest
}

// repairRate is in bytes a second, from the eviction to the last complete chain.
func (r killResult) repairRate() float64 {
	if r.Repaired <= r.Evicted {
		return 0
	}
	return float64(r.Moved) / (r.Repaired - r.Evicted).Seconds()
}

func (o faultOutput) table(w io.Writer) error {
	var rows [][]string
	for _, k := range o.Kills {
		for _, r := range k.Roles {
			rows = append(rows, []string{k.Name, r.Role, fmt.Sprint(r.SubRanges), ms(r.ReadMedian),
				ms(r.ReadMax), ms(r.WriteMedian), ms(r.WriteMax)})
		}
	}
	fmt.Fprintln(w, "longest time without an answer, in ms, by the role of the killed node:")
	if err := table(w, "killed role sub-ranges read-p50 read-max write-p50 write-max", rows); err != nil {
		return err
	}
	rows = nil
	for _, k := range o.Kills {
		rows = append(rows, []string{k.Name, ms(k.Before), ms(k.TakenOver), ms(k.Evicted), ms(k.Repaired),
			fmt.Sprintf("%.1f", float64(k.Moved)/1e6), fmt.Sprintf("%.1f", k.repairRate()/1e6), ms(k.After)})
	}
	fmt.Fprintln(w, "\nms after the kill; worst gaps before it and while the killed part came back:")
	err := table(w, "killed gap-before taken-over evicted repaired moved-MB repair-MB/s gap-after", rows)
	if err != nil {
		return err
	}
	v := o.Verification
	_, err = fmt.Fprintf(w, "\n%d acknowledged increments: %d lost, %d too many, %d of unknown outcome\n"+
		"%d records read back: %d violations, %d unread\n", o.Counters.Acknowledged, o.Counters.Lost,
		o.Counters.Surplus, o.Counters.Unknown, v.Checked, v.Violations, v.Unread)
	return err
}

// ms prints a duration in milliseconds; zero, which stands for not applicable, as a dash.
func ms(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", d.Seconds()*1e3)
}

// err is the verdict.
func (o faultOutput) err() error {
	err := o.Verification.Err()
	if c := o.Counters; c.Lost > 0 || c.Surplus > 0 {
		err = errors.Join(err, fmt.Errorf("%d increments are lost, %d happened too often", c.Lost,
			c.Surplus))
	}
	return err
}
