package p4rt

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/turbokv/turbokv/bmv2"
)

// Whatever does not agree with the program is refused, with a message that names it.
func TestP4InfoIsChecked(t *testing.T) {
	program, err := bmv2.Load(entitiesJSON)
	if err != nil {
		t.Fatal(err)
	}
	asStrings := &p4config.P4NewTypeSpec{Representation: &p4config.P4NewTypeSpec_TranslatedType{
		TranslatedType: &p4config.P4NewTypeTranslation{
			SdnType: &p4config.P4NewTypeTranslation_SdnString_{}}}}
	for name, c := range map[string]struct {
		change func(*p4config.P4Info)
		want   codes.Code
		names  string
	}{
		"id twice": {func(i *p4config.P4Info) { i.Tables[1].Preamble.Id = i.Tables[0].Preamble.Id },
			codes.InvalidArgument, "metered_table"},
		"id of another kind": {func(i *p4config.P4Info) { i.Meters[0].Preamble.Id = i.Tables[0].Preamble.Id },
			codes.InvalidArgument, "counted_table"},
		"no id":      {func(i *p4config.P4Info) { i.Counters[0].Preamble.Id = 0 }, codes.InvalidArgument, "seen"},
		"name twice": {func(i *p4config.P4Info) { i.Meters[1].Preamble.Name = i.Meters[0].Preamble.Name }, codes.InvalidArgument, "two"},
		"no name":    {func(i *p4config.P4Info) { i.Registers[0].Preamble.Name = "" }, codes.InvalidArgument, "register"},
		"counter size": {func(i *p4config.P4Info) { i.Counters[0].Size = 3 },
			codes.InvalidArgument, "seen"},
		"register size":     {func(i *p4config.P4Info) { i.Registers[0].Size = 4 }, codes.InvalidArgument, "numbers"},
		"meter size":        {func(i *p4config.P4Info) { i.Meters[0].Size = 9 }, codes.InvalidArgument, "two_rates"},
		"table size":        {func(i *p4config.P4Info) { i.Tables[0].Size = 9 }, codes.InvalidArgument, "counted_table"},
		"match kind":        {func(i *p4config.P4Info) { setKind(i, 0, p4config.MatchField_LPM) }, codes.InvalidArgument, "counted_table"},
		"unknown kind":      {func(i *p4config.P4Info) { setKind(i, 0, 77) }, codes.InvalidArgument, "not supported"},
		"field width":       {func(i *p4config.P4Info) { i.Tables[0].MatchFields[0].Bitwidth = 17 }, codes.InvalidArgument, "17 bits"},
		"field id twice":    {func(i *p4config.P4Info) { i.ValueSets[1].Match[1].Bitwidth = 9 }, codes.InvalidArgument, "pairs"},
		"value set size":    {func(i *p4config.P4Info) { i.ValueSets[0].Size = 99 }, codes.InvalidArgument, "kinds"},
		"value set":         {func(i *p4config.P4Info) { i.ValueSets[0].Preamble.Name = "other" }, codes.InvalidArgument, "other"},
		"meter":             {func(i *p4config.P4Info) { i.Meters[0].Preamble.Name = "other" }, codes.InvalidArgument, "other"},
		"profile":           {func(i *p4config.P4Info) { i.ActionProfiles[0].Preamble.Name = "other" }, codes.InvalidArgument, "other"},
		"profile's table":   {func(i *p4config.P4Info) { i.ActionProfiles[0].TableIds = []uint32{5} }, codes.InvalidArgument, "0x5"},
		"no implementation": {func(i *p4config.P4Info) { i.ActionProfiles = nil }, codes.InvalidArgument, "implementation"},
		"selector": {func(i *p4config.P4Info) { i.ActionProfiles[0].WithSelector = !i.ActionProfiles[0].WithSelector },
			codes.InvalidArgument, "selector"},
		"direct table":   {func(i *p4config.P4Info) { i.DirectMeters[0].DirectTableId = 5 }, codes.InvalidArgument, "0x5"},
		"register width": {func(i *p4config.P4Info) { i.Registers[0].TypeSpec = bitsOf(9) }, codes.InvalidArgument, "numbers"},
		"register of structs": {func(i *p4config.P4Info) { i.Registers[0].TypeSpec = tupleOf(bitsOf(12)) },
			codes.Unimplemented, "numbers"},
		"digest members": {func(i *p4config.P4Info) { i.Digests[0].TypeSpec = tupleOf(bitsOf(16)) },
			codes.InvalidArgument, "note_t"},
		"endless type": {func(i *p4config.P4Info) {
			i.TypeInfo.NewTypes["loop_t"] = &p4config.P4NewTypeSpec{
				Representation: &p4config.P4NewTypeSpec_OriginalType{OriginalType: named("loop_t")}}
			i.Registers[0].TypeSpec = named("loop_t")
		}, codes.InvalidArgument, "nested"},
		"strings": {func(i *p4config.P4Info) { i.TypeInfo.NewTypes["sdn_port_t"] = asStrings },
			codes.Unimplemented, "strings"},
		"other translation": {func(i *p4config.P4Info) {
			i.TypeInfo.NewTypes["sdn_port_t"].GetTranslatedType().SdnType =
				&p4config.P4NewTypeTranslation_SdnBitwidth{SdnBitwidth: 16}
		}, codes.InvalidArgument, "translated"},
		"extern": {func(i *p4config.P4Info) { i.Externs = []*p4config.Extern{{ExternTypeName: "Hash"}} },
			codes.Unimplemented, "Hash"},
	} {
		config := entitiesConfig(t)
		c.change(config.P4Info)
		_, err := newPipeline(config, program)
		if status.Code(err) != c.want || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v, want %v naming %s", name, err, c.want, c.names)
		}
	}
}

func setKind(i *p4config.P4Info, table int, kind p4config.MatchField_MatchType) {
	i.Tables[table].MatchFields[0].Match = &p4config.MatchField_MatchType_{MatchType: kind}
}

func bitsOf(n int32) *p4config.P4DataTypeSpec {
	return &p4config.P4DataTypeSpec{TypeSpec: &p4config.P4DataTypeSpec_Bitstring{
		Bitstring: &p4config.P4BitstringLikeTypeSpec{TypeSpec: &p4config.P4BitstringLikeTypeSpec_Bit{
			Bit: &p4config.P4BitTypeSpec{Bitwidth: n}}}}}
}

func tupleOf(members ...*p4config.P4DataTypeSpec) *p4config.P4DataTypeSpec {
	return &p4config.P4DataTypeSpec{TypeSpec: &p4config.P4DataTypeSpec_Tuple{
		Tuple: &p4config.P4TupleTypeSpec{Members: members}}}
}

func named(name string) *p4config.P4DataTypeSpec {
	return &p4config.P4DataTypeSpec{TypeSpec: &p4config.P4DataTypeSpec_NewType{
		NewType: &p4config.P4NamedType{Name: name}}}
}

// The P4Info that p4c writes fits every program that the switch runs.
func TestCompilersP4InfoFits(t *testing.T) {
	dir := os.Getenv("STF_CORPUS")
	if dir == "" {
		t.Skip("needs STF_CORPUS, a folder of programs as p4c compiled them")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.p4info.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		device, err := os.ReadFile(strings.TrimSuffix(file, ".p4info.txt") + ".json")
		if err != nil {
			continue
		}
		program, err := bmv2.Load(device)
		if err != nil {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		info := new(p4config.P4Info)
		if err := prototext.Unmarshal(text, info); err != nil {
			t.Fatal(file, err)
		}
		if _, err := newPipeline(&p4v1.ForwardingPipelineConfig{P4Info: info}, program); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}

// Ports are numbers of 32 bits at the controller and of 9 in the switch.
func TestTranslatedNumbers(t *testing.T) {
	r := newRig(t).withEntities()
	full := "\xff\xff\xff\xff"
	e := ranked(r.direct("sdn_table", key(ternary(1, "\x05", full)), "send_sdn", "\x00\x00\x00\x03"), 4)
	r.mustWrite(insert(tableEntity(e)))
	want := ranked(r.direct("sdn_table", key(ternary(1, "\x05", full)), "send_sdn", "\x03"), 4)
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: e.TableId}), tableEntity(want))
	if got := r.portsOf(6, 1); got[3] != 1 {
		t.Errorf("a frame left at %v, want port 3", got)
	}
	r.mustRefuseAs(codes.InvalidArgument, map[string]*p4v1.Update{
		"port that the switch cannot have": insert(tableEntity(ranked(r.direct("sdn_table",
			key(ternary(1, "\x02\x00", full)), "drop"), 4))),
		"parameter": insert(tableEntity(ranked(r.direct("sdn_table",
			key(ternary(1, "\x06", full)), "send_sdn", "\x02\x00"), 4))),
		"half a mask": insert(tableEntity(ranked(r.direct("sdn_table",
			key(ternary(1, "\x04", "\xff\xff\xff\xfc")), "drop"), 4))),
		"mask of the switch's width": insert(tableEntity(ranked(r.direct("sdn_table",
			key(ternary(1, "\x04", "\x01\xff")), "drop"), 4))),
	})
	r.mustWrite(insert(tableEntity(ranked(r.direct("sdn_table", nil, "drop"), 4))))
}

func TestKeylessAndConstTables(t *testing.T) {
	r := newRig(t).withEntities()
	r.mustRefuse(map[string]refusal{
		"keyless": {insert(tableEntity(r.direct("keyless_table", nil, "drop"))), codes.InvalidArgument},
		"insert": {insert(tableEntity(r.direct("fixed_table", key(exact(1, "\x02")), "count_fixed", "\x01"))),
			codes.PermissionDenied},
		"delete": {remove(tableEntity(&p4v1.TableEntry{TableId: r.id("fixed_table"),
			Match: key(exact(1, "\x01"))})), codes.PermissionDenied},
		"modify the action": {modify(tableEntity(r.direct("fixed_table", key(exact(1, "\x01")),
			"count_fixed", "\x01"))), codes.PermissionDenied},
	})
	fixed := r.direct("fixed_table", key(exact(1, "\x01")), "count_fixed", "\x01")
	fixed.IsConst = true
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: fixed.TableId}), tableEntity(fixed))
	// Direct resources of const entries can be written.
	counter := &p4v1.TableEntry{TableId: fixed.TableId, Match: fixed.Match,
		CounterData: &p4v1.CounterData{PacketCount: 6}}
	r.mustWrite(modify(tableEntity(counter)))
	fixed.CounterData = counter.CounterData
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: fixed.TableId,
		CounterData: &p4v1.CounterData{}}), tableEntity(fixed))
}

// A DELETE looks at the key only, and a MODIFY without an action changes direct resources only.
func TestWhatAnUpdateLooksAt(t *testing.T) {
	r := newRig(t).withEntities()
	e := r.direct("counted_table", key(exact(1, "\x07")), "count_hit", "\x01")
	r.mustWrite(insert(tableEntity(e)))
	bare := &p4v1.TableEntry{TableId: e.TableId, Match: e.Match, Metadata: []byte("ignored"),
		CounterData: &p4v1.CounterData{ByteCount: 3}}
	r.mustWrite(modify(tableEntity(bare)))
	e.CounterData = bare.CounterData
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: e.TableId, CounterData: &p4v1.CounterData{}}),
		tableEntity(e))
	nonsense := &p4v1.TableEntry{TableId: e.TableId, Match: e.Match, IdleTimeoutNs: -4,
		MeterConfig: &p4v1.MeterConfig{Cir: -1}, Action: toGroup(77),
		TimeSinceLastHit: &p4v1.TableEntry_IdleTimeout{}}
	r.mustWrite(remove(tableEntity(nonsense)))
	if got := r.write(modify(tableEntity(bare)))[0]; got != codes.NotFound {
		t.Errorf("MODIFY of what is gone: %v", got)
	}
}

// A pipeline that takes the place of another one with RECONCILE_AND_COMMIT has all its state.
func TestReconcileKeepsEverything(t *testing.T) {
	r := newRig(t).withEntities()
	if got, err := r.batch(goOn, r.oneOfEach()...); err != nil {
		t.Fatal(got, err)
	}
	before := r.everything()
	if got := r.setPipeline(reconcile, entitiesConfig(t)); got != codes.OK {
		t.Fatal(got)
	}
	if after := r.everything(); !sameEntities(before, after) {
		t.Errorf("before:\n%v\nafter:\n%v", before, after)
	}
	smaller := entitiesConfig(t)
	smaller.P4Info.ValueSets = nil
	smaller.P4DeviceConfig = bytes.Clone(smaller.P4DeviceConfig)
	if got := r.setPipeline(reconcile, smaller); got != codes.InvalidArgument {
		t.Errorf("a pipeline without the value set: %v", got)
	}
	if after := r.everything(); !sameEntities(before, after) {
		t.Error("the refused pipeline changed something")
	}
}
