package p4src_test

import (
	"errors"
	"fmt"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
	"github.com/turbokv/turbokv/p4src"
)

func TestScriptsOnBuiltInSwitch(t *testing.T) {
	runScripts(t, func(t *testing.T) device { return newBuiltIn(t) })
}

// builtInDevice is a switch of package v1model, called directly: everything happens within a call.
type builtInDevice struct {
	live    *v1model.Switch
	worker  *v1model.Worker
	names   controlNames
	out     []frameOut
	learned [][][]byte
}

func newBuiltIn(t testing.TB) *builtInDevice {
	t.Helper()
	program, err := bmv2.Load(p4src.DeviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	d := &builtInDevice{names: newControlNames(t)}
	d.live, err = v1model.NewSwitch(program, v1model.Config{OnDigest: d.learn})
	if err != nil {
		t.Fatal(err)
	}
	d.worker = d.live.NewWorker()
	return d
}

func (d *builtInDevice) learn(digest v1model.Digest) {
	var fields [][]byte
	for _, v := range digest.Values {
		fields = append(fields, append([]byte(nil), v...))
	}
	d.learned = append(d.learned, fields)
}

func (d *builtInDevice) add(e entry) error {
	row, err := d.names.tableEntry(e)
	if err != nil {
		return err
	}
	own := &v1model.Entry{
		Table:  d.names.tables[e.table].GetPreamble().GetName(),
		Action: d.names.actions[e.action].GetPreamble().GetName(),
	}
	for _, p := range row.GetAction().GetAction().GetParams() {
		own.Params = append(own.Params, p.GetValue())
	}
	given := map[uint32]*p4v1.FieldMatch{}
	for _, m := range row.GetMatch() {
		given[m.GetFieldId()] = m
	}
	for _, f := range d.names.tables[e.table].GetMatchFields() {
		own.Match = append(own.Match, match(given[f.GetId()]))
	}
	return d.live.Insert(own)
}

// match translates one field; nil matches everything.
func match(m *p4v1.FieldMatch) v1model.Match {
	if m == nil {
		return v1model.Match{Any: true}
	}
	if lpm := m.GetLpm(); lpm != nil {
		return v1model.Match{Value: lpm.GetValue(), PrefixLen: int(lpm.GetPrefixLen())}
	}
	return v1model.Match{Value: m.GetExact().GetValue()}
}

func (d *builtInDevice) cloneSession(id, port uint16) error {
	session := &v1model.CloneSession{ID: id, Replicas: []v1model.Replica{{Port: port}}}
	return errors.Join(d.live.Update([]v1model.Op{{Type: v1model.OpInsert, Entity: session}})...)
}

func (d *builtInDevice) send(port uint16, frame []byte) error {
	d.worker.Process(port, frame, func(port uint16, frame []byte) {
		d.out = append(d.out, frameOut{port, append([]byte(nil), frame...)})
	})
	return nil
}

func (d *builtInDevice) receive(int) ([]frameOut, error) {
	out := d.out
	d.out = nil
	return out, nil
}

func (d *builtInDevice) digest() ([][]byte, error) {
	if len(d.learned) == 0 {
		return nil, errors.New("the switch has sent no digest")
	}
	first := d.learned[0]
	d.learned = d.learned[1:]
	return first, nil
}

func (d *builtInDevice) packets(counter string, index int) (int64, error) {
	for _, c := range d.names.counters {
		if c.GetPreamble().GetAlias() == counter {
			v, err := d.live.ReadCounter(c.GetPreamble().GetName(), index)
			return int64(v.Packets), err
		}
	}
	return 0, fmt.Errorf("program has no counter %q", counter)
}
