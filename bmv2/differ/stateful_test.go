package differ

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// both is simple_switch_grpc and the built-in switch with the program stateful.p4. What one is told
// the other is told, too.
type both struct {
	t    *testing.T
	info *p4config.P4Info
	real *real
	c    *controller
	sw   *v1model.Switch
	w    *v1model.Worker
}

func newBoth(t *testing.T) *both {
	path, err := exec.LookPath(SimpleSwitch)
	if err != nil {
		t.Skipf("%s is not on PATH", SimpleSwitch)
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("..", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	b := &both{t: t, info: new(p4config.P4Info)}
	code := read("stateful.json")
	if err := prototext.Unmarshal(read("stateful.p4info.txtpb"), b.info); err != nil {
		t.Fatal(err)
	}
	prog, err := bmv2.Load(code)
	if err != nil {
		t.Fatal(err)
	}
	if b.sw, err = v1model.NewSwitch(prog, v1model.Config{}); err != nil {
		t.Fatal(err)
	}
	b.w = b.sw.NewWorker()
	if b.real, err = startReal(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.real.stop)
	if b.c, err = control(b.real.client()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.c.close)
	err = b.c.setPipeline(t.Context(), &p4v1.ForwardingPipelineConfig{P4Info: b.info, P4DeviceConfig: code})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// do does one operation in both switches, unless the built-in one refuses it.
func (b *both) do(op v1model.Op) {
	b.t.Helper()
	if b.sw.Update([]v1model.Op{op}) != nil {
		return
	}
	update := &p4v1.Update{Type: p4v1.Update_Type(op.Type), Entity: b.entity(op.Entity)}
	errs, err := b.c.write(b.t.Context(), []*p4v1.Update{update})
	if err != nil || errs[0] != nil {
		b.t.Fatalf("%s: %v, %v", line(update), err, errs)
	}
}

const (
	selector  = "ingress.paths"
	selecting = "ingress.selected_table"
)

func (b *both) profileID() uint32 {
	for _, p := range b.info.ActionProfiles {
		if p.Preamble.Name == selector {
			return p.Preamble.Id
		}
	}
	b.t.Fatalf("no action profile %q", selector)
	return 0
}

func (b *both) action(name string, params [][]byte) *p4v1.Action {
	for _, a := range b.info.Actions {
		if a.Preamble.Name == name {
			out := &p4v1.Action{ActionId: a.Preamble.Id}
			for i, v := range params {
				out.Params = append(out.Params, &p4v1.Action_Param{ParamId: uint32(i + 1), Value: v})
			}
			return out
		}
	}
	b.t.Fatalf("no action %q", name)
	return nil
}

func (b *both) entity(e v1model.Entity) *p4v1.Entity {
	switch e := e.(type) {
	case *v1model.ProfileMember:
		return &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileMember{
			ActionProfileMember: &p4v1.ActionProfileMember{ActionProfileId: b.profileID(), MemberId: e.ID,
				Action: b.action(e.Action, e.Params)}}}
	case *v1model.ProfileGroup:
		g := &p4v1.ActionProfileGroup{ActionProfileId: b.profileID(), GroupId: e.ID}
		for _, m := range e.Members {
			g.Members = append(g.Members,
				&p4v1.ActionProfileGroup_Member{MemberId: m.Member, Weight: int32(m.Weight)})
		}
		return &p4v1.Entity{Entity: &p4v1.Entity_ActionProfileGroup{ActionProfileGroup: g}}
	case *v1model.MeterCell:
		return b.meter(e)
	}
	return b.entry(e.(*v1model.Entry))
}

func (b *both) entry(e *v1model.Entry) *p4v1.Entity {
	out := &p4v1.TableEntry{Match: []*p4v1.FieldMatch{{FieldId: 1,
		FieldMatchType: &p4v1.FieldMatch_Exact_{Exact: &p4v1.FieldMatch_Exact{Value: e.Match[0].Value}}}}}
	for _, t := range b.info.Tables {
		if t.Preamble.Name == e.Table {
			out.TableId = t.Preamble.Id
		}
	}
	switch e.Ref.Kind {
	case v1model.RefMember:
		out.Action = &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileMemberId{
			ActionProfileMemberId: e.Ref.ID}}
	case v1model.RefGroup:
		out.Action = &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileGroupId{
			ActionProfileGroupId: e.Ref.ID}}
	case v1model.RefOneShot:
		set := &p4v1.ActionProfileActionSet{}
		for _, a := range e.Ref.OneShot {
			set.ActionProfileActions = append(set.ActionProfileActions, &p4v1.ActionProfileAction{
				Action: b.action(a.Action, a.Params), Weight: int32(a.Weight)})
		}
		out.Action = &p4v1.TableAction{Type: &p4v1.TableAction_ActionProfileActionSet{
			ActionProfileActionSet: set}}
	}
	return &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: out}}
}

func (b *both) meter(e *v1model.MeterCell) *p4v1.Entity {
	out := &p4v1.MeterEntry{Index: &p4v1.Index{Index: int64(e.Index)}}
	for _, m := range b.info.Meters {
		if m.Preamble.Name == e.Meter {
			out.MeterId = m.Preamble.Id
		}
	}
	if c := e.Config; c != nil {
		out.Config = &p4v1.MeterConfig{Cir: c.CIR, Cburst: c.CBurst, Pir: c.PIR, Pburst: c.PBurst}
	}
	return &p4v1.Entity{Entity: &p4v1.Entity_MeterEntry{MeterEntry: out}}
}

// compare sends frames through both switches.
func (b *both) compare(frames []Frame) {
	b.t.Helper()
	theirs, err := b.real.inject(b.t.Context(), frames)
	if err != nil {
		b.t.Fatal(err)
	}
	for i, f := range frames {
		var ours []Frame
		b.w.Process(f.Port, f.Bytes, func(port uint16, frame []byte) {
			ours = append(ours, Frame{port, append([]byte(nil), frame...)})
		})
		if got, want := fmt.Sprint(ours), fmt.Sprint(theirs[i]); got != want {
			b.t.Fatalf("frame %d, %x: %s, simple_switch_grpc sends %s", i, f.Bytes, got, want)
		}
	}
}

// anySelection makes an operation on the profile and its table. Groups and one-shots are not empty:
// simple_switch refuses or does not survive them.
func anySelection(r *rand.Rand, oneShots bool) v1model.Op {
	op := v1model.Op{Type: []v1model.OpType{v1model.OpInsert, v1model.OpInsert, v1model.OpModify,
		v1model.OpDelete}[r.IntN(4)]}
	id := func() uint32 { return uint32(1 + r.IntN(5)) }
	kinds := 4
	if oneShots {
		kinds = 1
	}
	switch r.IntN(kinds) {
	case 1:
		op.Entity = &v1model.ProfileMember{Profile: selector, ID: id(), Action: "ingress.send",
			Params: [][]byte{{byte(1 + r.IntN(200))}}}
	case 2:
		g := &v1model.ProfileGroup{Profile: selector, ID: id()}
		for range 1 + r.IntN(3) {
			g.Members = append(g.Members, v1model.GroupMember{Member: id(), Weight: 1 + r.IntN(3)})
		}
		op.Entity = g
	default:
		e := &v1model.Entry{Table: selecting, Match: []v1model.Match{{Value: []byte{byte(1 + r.IntN(3))}}}}
		e.Ref = v1model.ActionRef{Kind: v1model.RefMember + v1model.RefKind(r.IntN(2)), ID: id()}
		if oneShots {
			e.Ref = v1model.ActionRef{Kind: v1model.RefOneShot}
			for range 1 + r.IntN(3) {
				e.Ref.OneShot = append(e.Ref.OneShot, v1model.WeightedAction{Action: "ingress.send",
					Params: [][]byte{{byte(1 + r.IntN(200))}}, Weight: 1 + r.IntN(3)})
			}
		}
		op.Entity = e
	}
	return op
}

// TestSelectionIsThatOfSimpleSwitch changes members, groups and entries at random. Each packet must
// take the same member in both switches.
func TestSelectionIsThatOfSimpleSwitch(t *testing.T) {
	for _, oneShots := range []bool{false, true} {
		b := newBoth(t)
		r := rand.New(rand.NewPCG(1, 7))
		if err := b.sw.SetProfileLimits(selector, v1model.ProfileLimits{ByMembers: true}); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			for range 4 {
				b.do(anySelection(r, oneShots))
			}
			var frames []Frame
			for range 24 {
				frames = append(frames, Frame{1, []byte{6, byte(1 + r.IntN(3)), byte(r.Uint32()),
					byte(r.Uint32()), 0, byte(r.Uint32())}})
			}
			b.compare(frames)
		}
	}
}

// TestMetersAreThoseOfSimpleSwitch lets bursts of packets empty the buckets of meters that fill so
// slowly that no token comes in while the test runs.
func TestMetersAreThoseOfSimpleSwitch(t *testing.T) {
	b := newBoth(t)
	r := rand.New(rand.NewPCG(1, 8))
	for range 20 {
		for _, meter := range []string{"ingress.packet_meter", "ingress.byte_meter"} {
			c := &v1model.MeterConfig{CBurst: r.Int64N(20), PBurst: r.Int64N(20)}
			if meter == "ingress.byte_meter" {
				c.CBurst, c.PBurst = 6*c.CBurst, 6*c.PBurst+r.Int64N(6)
			}
			if r.IntN(5) == 0 {
				c = nil
			}
			b.do(v1model.Op{Type: v1model.OpModify, Entity: &v1model.MeterCell{Meter: meter,
				Index: r.IntN(4), Config: c}})
		}
		var frames []Frame
		for range 60 {
			f := []byte{byte(1 + r.IntN(2)), byte(r.IntN(4)), 0, 0, 0, 0}
			frames = append(frames, Frame{1, append(f, make([]byte, r.IntN(12))...)})
		}
		b.compare(frames)
	}
}
