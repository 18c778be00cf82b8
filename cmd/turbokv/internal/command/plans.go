package command

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// planOutput is the JSON form of a plan.
type planOutput struct {
	ID       uint64        `json:"id,omitempty"` // absent: only proposed
	Kind     string        `json:"kind"`
	SubRange kv.SubRangeID `json:"sub_range"`
	Other    kv.SubRangeID `json:"other,omitempty"`
	From     string        `json:"from,omitempty"`
	To       string        `json:"to,omitempty"`
	Cut      string        `json:"cut,omitempty"`
	Step     string        `json:"step,omitempty"`
	Progress float64       `json:"progress"` // 0 to 1
	Why      string        `json:"why"`
	Began    string        `json:"began,omitempty"` // RFC 3339

	began time.Time
}

func planOutputOf(p admin.Plan) planOutput {
	out := planOutput{
		ID: p.ID, Kind: p.Kind, SubRange: p.SubRange, Other: p.Other, From: address(p.From),
		To: address(p.To), Step: p.Step, Progress: p.Progress, Why: p.Why, began: p.Began,
	}
	if p.Kind == admin.PlanSplit {
		out.Cut = p.Cut.String()
	}
	if !p.Began.IsZero() {
		out.Began = p.Began.UTC().Format(time.RFC3339Nano)
	}
	return out
}

func planOutputsOf(all []admin.Plan) []planOutput {
	out := make([]planOutput, 0, len(all))
	for _, p := range all {
		out = append(out, planOutputOf(p))
	}
	return out
}

const planHeader = "PLAN KIND SUB-RANGE CHANGE STEP PROGRESS SINCE WHY"

// planRows are the rows of plans at a time.
func planRows(plans []planOutput, now time.Time) (rows [][]string) {
	for _, p := range plans {
		id, step, progress, since := "-", p.Step, "-", "-"
		if step == "" {
			step = "-"
		}
		if p.ID != 0 {
			id, progress = strconv.FormatUint(p.ID, 10), fmt.Sprintf("%.0f%%", 100*p.Progress)
		}
		if age := now.Sub(p.began); !p.began.IsZero() && !now.IsZero() && age >= 0 {
			since = age.Round(100 * time.Millisecond).String()
		}
		rows = append(rows, []string{
			id, p.Kind, strconv.Itoa(int(p.SubRange)), p.change(), step, progress, since, shown(p.Why),
		})
	}
	return rows
}

// change is what the plan does, in short.
func (p planOutput) change() string {
	switch {
	case p.Kind == admin.PlanSplit && p.Other != 0:
		return fmt.Sprintf("at %s, makes %d", p.Cut, p.Other)
	case p.Kind == admin.PlanSplit:
		return "at " + p.Cut
	case p.Kind == admin.PlanMerge:
		return fmt.Sprintf("absorbs %d", p.Other)
	case p.From != "" && p.To != "":
		return p.From + " -> " + p.To
	case p.To != "":
		return "adds " + p.To
	case p.From != "":
		return "takes out " + p.From
	}
	return "-"
}

func (a *app) plansCommand() *cobra.Command {
	var flags adminFlags
	c := &cobra.Command{
		Use:     "plans",
		GroupID: groupCluster,
		Short:   "Show what the controller is changing, how far it is, and why",
		Long: `Show the plans that the controller carries out: repairs after a failure, moves of
replicas, splits and merges of sub-ranges, with their progress and their reason.`,
		Example: `  turbokv plans
  turbokv plans -o json | jq '.[] | select(.kind == "repair")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), flags, func(ctx context.Context, c *admin.Client) error {
				s, err := c.Status(ctx)
				if err != nil {
					return err
				}
				out := planOutputsOf(s.Plans)
				return a.print(out, func(w io.Writer) error {
					if len(out) == 0 {
						_, err := fmt.Fprintln(w, "no plans: nothing is being changed")
						return err
					}
					return table(w, planHeader, planRows(out, s.Time))
				})
			})
		},
	}
	flags.add(c)
	return c
}

// balanceOutput is the JSON form of what the balancer does.
type balanceOutput struct {
	DryRun  bool         `json:"dry_run"`
	Plans   []planOutput `json:"plans"`
	Reasons []string     `json:"reasons"`
}

func (b balanceOutput) table(w io.Writer) error {
	if len(b.Plans) > 0 {
		if err := table(w, planHeader, planRows(b.Plans, time.Time{})); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(w, "nothing to do")
	}
	for _, why := range b.Reasons {
		fmt.Fprintf(w, "because: %s\n", shown(why))
	}
	return nil
}
