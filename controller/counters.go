package controller

import (
	"context"

	"github.com/turbokv/turbokv/controller/balance"
	"github.com/turbokv/turbokv/controller/directory"
	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/p4src"
)

// counterBatch bounds the cells of one read, so that the request stays small.
const counterBatch = 1000

// poll reads the counters of all sub-ranges that are served, and of drops.
func (d *switchDriver) poll(ctx context.Context, s *p4rt.Session, view directory.View) error {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	var ids []int64
	for _, r := range view.SubRanges() {
		if r.Created && d.serves(view, r) {
			ids = append(ids, int64(r.ID))
		}
	}
	reads, err := readCells(ctx, s, p4src.ReadCounter, ids)
	if err != nil {
		return err
	}
	writes, err := readCells(ctx, s, p4src.WriteCounter, ids)
	if err != nil {
		return err
	}
	drops, err := readDrops(ctx, s)
	if err != nil {
		return err
	}
	return d.loop.post(ctx, func() {
		d.loop.core.Counted(d.loop.now(), d.name, counts(reads, writes))
		d.loop.switches[d.name].drops = drops
	})
}

// serves reports whether the switch may have counted requests for a sub-range.
func (d *switchDriver) serves(view directory.View, r directory.SubRange) bool {
	return d.cfg.Topology == nil || r.Home == d.name
}

// counts joins the cells of both counters.
func counts(reads, writes []p4rt.Cell) []balance.Count {
	written := make(map[int64]uint64, len(writes))
	for _, c := range writes {
		written[c.Index] = c.Packets
	}
	out := make([]balance.Count, len(reads))
	for i, c := range reads {
		out[i] = balance.Count{SubRange: kv.SubRangeID(c.Index), Reads: c.Packets,
			Writes: written[c.Index]}
	}
	return out
}

// readDrops returns the reasons for which packets were dropped, and how many.
func readDrops(ctx context.Context, s *p4rt.Session) (map[string]uint64, error) {
	var reasons []int64
	for _, r := range p4src.DropReasons() {
		reasons = append(reasons, int64(r))
	}
	cells, err := readCells(ctx, s, p4src.DropCounter, reasons)
	if err != nil {
		return nil, err
	}
	drops := make(map[string]uint64)
	for _, c := range cells {
		if c.Packets > 0 {
			drops[p4src.DropReason(c.Index).String()] = c.Packets
		}
	}
	return drops, nil
}

func readCells(ctx context.Context, s *p4rt.Session, name string, at []int64) ([]p4rt.Cell, error) {
	var out []p4rt.Cell
	for len(at) > 0 {
		n := min(len(at), counterBatch)
		cells, err := s.ReadCounter(ctx, name, at[:n]...)
		if err != nil {
			return nil, err
		}
		out, at = append(out, cells...), at[n:]
	}
	return out, nil
}
