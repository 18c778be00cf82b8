package p4rt

import (
	"bytes"
	"fmt"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// roleConfig encodes a stratum.P4RoleConfig.
type roleConfig struct {
	exclusive, shared   []uint32
	filterID            uint32
	filter              string
	packetIns, pipeline bool
}

func (c roleConfig) any() *anypb.Any {
	var out []byte
	for _, id := range c.exclusive { // one by one, as old encoders do
		out = protowire.AppendVarint(protowire.AppendTag(out, 1, protowire.VarintType), uint64(id))
	}
	var packed []byte
	for _, id := range c.shared {
		packed = protowire.AppendVarint(packed, uint64(id))
	}
	out = protowire.AppendBytes(protowire.AppendTag(out, 2, protowire.BytesType), packed)
	if c.filterID != 0 {
		f := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(c.filterID))
		f = protowire.AppendBytes(protowire.AppendTag(f, 2, protowire.BytesType), []byte(c.filter))
		out = protowire.AppendBytes(protowire.AppendTag(out, 3, protowire.BytesType), f)
	}
	for field, set := range map[protowire.Number]bool{4: c.packetIns, 5: c.pipeline} {
		if set {
			out = protowire.AppendVarint(protowire.AppendTag(out, field, protowire.VarintType), 1)
		}
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + scopeType, Value: out}
}

func claim(role string, low uint64, config *anypb.Any) *p4v1.StreamMessageRequest {
	m := arbitration(device, low, role)
	if config != nil {
		m.GetArbitration().Role.Config = config
	}
	return m
}

// take has a controller become primary of a role.
func (r *rig) take(role string, low uint64, config *anypb.Any) *peer {
	r.t.Helper()
	p := r.connect()
	p.send(claim(role, low, config))
	if got := p.notified(); got != codes.OK {
		r.t.Fatalf("role %q: %v", role, got)
	}
	return p
}

func (r *rig) writeWith(role string, low uint64, u *p4v1.Update) codes.Code {
	_, err := r.client.Write(r.context(), &p4v1.WriteRequest{DeviceId: device, Role: role,
		ElectionId: &p4v1.Uint128{Low: low}, Updates: []*p4v1.Update{u}})
	return codeOf(err)
}

// Every role has a primary of its own, and the same id may be used in several.
func TestRolesElectForThemselves(t *testing.T) {
	r := newRig(t).withEntities()
	r.take("", 5, nil)
	a, b := r.take("edge", 5, nil), r.take("core", 2, nil)
	backup := r.connect()
	backup.send(claim("edge", 4, nil))
	m := backup.receive().GetArbitration()
	if m.GetStatus().GetCode() != int32(codes.AlreadyExists) || m.GetRole().GetName() != "edge" ||
		m.GetElectionId().GetLow() != 5 {
		t.Errorf("the backup heard %v", m)
	}
	u := insert(r.member("nexthops", 1, "drop"))
	for _, c := range []struct {
		role string
		low  uint64
		want codes.Code
	}{
		{"edge", 4, codes.PermissionDenied}, {"core", 5, codes.PermissionDenied},
		{"nobody", 5, codes.NotFound}, {"edge", 5, codes.OK}, {"core", 2, codes.AlreadyExists},
		{"", 5, codes.AlreadyExists}, {"", 2, codes.PermissionDenied},
	} {
		if got := r.writeWith(c.role, c.low, u); got != c.want {
			t.Errorf("role %q with id %d: %v, want %v", c.role, c.low, got, c.want)
		}
	}
	if err := a.channel.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := backup.notified(); got != codes.NotFound {
		t.Errorf("after the primary left the backup heard %v", got)
	}
	if got := r.writeWith("core", 2, u); got != codes.AlreadyExists {
		t.Errorf("another role's primary: %v", got)
	}
	b.send(claim("core", 1, nil)) // steps down
	if got := b.notified(); got != codes.NotFound {
		t.Errorf("a primary that stepped down heard %v", got)
	}
}

func TestRoleConfigs(t *testing.T) {
	r := newRig(t).withEntities()
	table, profile := r.id("counted_table"), r.id("nexthops")
	config := roleConfig{exclusive: []uint32{table}, shared: []uint32{profile, 0}, packetIns: true}.any()
	p := r.take("edge", 1, config)
	if got := r.take("core", 1, roleConfig{shared: []uint32{profile}}.any()); got == nil {
		t.Fatal("unreachable")
	}
	entry := tableEntity(r.direct("counted_table", key(exact(1, "\x07")), "count_hit", "\x01"))
	meter := modify(meterEntity(r.id("two_rates"), at(0), nil))
	for _, c := range []struct {
		role string
		u    *p4v1.Update
		want codes.Code
	}{
		{"core", insert(entry), codes.PermissionDenied}, {"edge", insert(entry), codes.OK},
		{"edge", meter, codes.PermissionDenied}, {"edge", insert(group(3)), codes.OK},
		{"core", insert(group(4)), codes.PermissionDenied},
		{"core", insert(r.member("nexthops", 1, "drop")), codes.OK},
		{"edge", modify(directEntity(entry.GetTableEntry(), nil)), codes.OK},
		{"core", modify(directEntity(entry.GetTableEntry(), nil)), codes.PermissionDenied},
	} {
		if got := r.writeWith(c.role, 1, c.u); got != c.want {
			t.Errorf("role %q, %v: %v, want %v", c.role, c.u, got, c.want)
		}
	}
	// Reads are filtered.
	for role, want := range map[string]int{"": 2, "edge": 1, "core": 0} {
		if got := r.countAs(role, tableEntity(&p4v1.TableEntry{})); got != want {
			t.Errorf("role %q reads %d table entries, want %d", role, got, want)
		}
	}
	if got := r.countAs("core", tableEntity(&p4v1.TableEntry{TableId: table})); got != 0 {
		t.Errorf("role core reads %d entries of a table that it does not have", got)
	}
	_, err := r.client.SetForwardingPipelineConfig(r.context(), &p4v1.SetForwardingPipelineConfigRequest{
		DeviceId: device, Role: "edge", ElectionId: &p4v1.Uint128{Low: 1}, Action: verify,
		Config: entitiesConfig(t)})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a role without the right set the pipeline: %v", err)
	}
	// The primary may change its config, and all of the role hear of it.
	wider := roleConfig{shared: []uint32{table, r.id("two_rates")}, pipeline: true}.any()
	p.send(claim("edge", 1, wider))
	if m := p.receive().GetArbitration(); !proto.Equal(m.GetRole().GetConfig(), wider) {
		t.Errorf("the new config came back as %v", m)
	}
	if got := r.writeWith("edge", 1, meter); got != codes.OK {
		t.Errorf("with the new config: %v", got)
	}
}

func (r *rig) countAs(role string, e *p4v1.Entity) (n int) {
	r.t.Helper()
	stream, err := r.client.Read(r.context(), &p4v1.ReadRequest{
		DeviceId: device, Role: role, Entities: []*p4v1.Entity{e}})
	for err == nil {
		var m *p4v1.ReadResponse
		m, err = stream.Recv()
		n += len(m.GetEntities())
	}
	if eof(err) != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestRefusedRoles(t *testing.T) {
	r := newRig(t).withEntities()
	r.take("edge", 1, roleConfig{exclusive: []uint32{5}}.any())
	stranger, err := anypb.New(&structpb.Struct{})
	if err != nil {
		t.Fatal(err)
	}
	broken := &anypb.Any{TypeUrl: "type.googleapis.com/" + scopeType, Value: []byte{0x0a, 0xff}}
	for name, m := range map[string]*p4v1.StreamMessageRequest{
		"unknown scheme":  claim("core", 1, stranger),
		"broken config":   claim("core", 1, broken),
		"taken for good":  claim("core", 1, roleConfig{shared: []uint32{5}}.any()),
		"taken elsewhere": claim("core", 1, roleConfig{exclusive: []uint32{5}}.any()),
		"default role": {Update: &p4v1.StreamMessageRequest_Arbitration{
			Arbitration: &p4v1.MasterArbitrationUpdate{DeviceId: device,
				Role: &p4v1.Role{Config: roleConfig{}.any()}}}},
	} {
		p := r.connect()
		p.send(m)
		if got := p.ended(); got != codes.InvalidArgument {
			t.Errorf("%s: %v", name, got)
		}
	}
	for i := range maxRoles - 1 {
		r.take(fmt.Sprint("role ", i), 1, nil)
	}
	p := r.connect()
	p.send(claim("one too many", 1, nil))
	if got := p.ended(); got != codes.ResourceExhausted {
		t.Errorf("more roles than fit: %v", got)
	}
}

// Packets go to every role that takes them, filtered by a field of their header.
func TestRolesFilterPackets(t *testing.T) {
	r := newRig(t).withEntities()
	all := r.take("", 1, nil)
	some := r.take("some", 1, roleConfig{packetIns: true, filterID: 2, filter: "\x00\x07"}.any())
	r.take("none", 1, roleConfig{}.any())
	packet := func(reason byte) []byte { return []byte{9, 0, 0, reason} }
	r.receive(3, packet(6))
	r.receive(3, packet(7))
	for _, want := range []byte{6, 7} {
		if got := all.receive().GetPacket(); !bytes.Equal(got.GetPayload(), packet(want)) {
			t.Errorf("the default role got %v", got)
		}
	}
	if got := some.receive().GetPacket(); !bytes.Equal(got.GetPayload(), packet(7)) {
		t.Errorf("the filtered role got %v", got)
	}
	if s := r.server.Stats(); s.PacketIns != 2 || s.PacketInDrops != 0 {
		t.Errorf("stats %+v, want 2 packets", s)
	}
}

// No role config, however broken, may panic, and what is taken allows what it lists.
func FuzzRoleConfig(f *testing.F) {
	f.Add(roleConfig{exclusive: []uint32{7}, shared: []uint32{8, 0}, filterID: 1, filter: "x"}.any().Value)
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, value []byte) {
		s, err := newScope(&anypb.Any{TypeUrl: "x/" + scopeType, Value: value})
		if (s == nil) != (err != nil) {
			t.Fatalf("scope %v, error %v", s, err)
		}
		if s == nil {
			return
		}
		for id := range s.exclusive {
			if !s.allows(id) {
				t.Errorf("id %#x is listed and not allowed", id)
			}
		}
		s.takes(&p4v1.PacketIn{Metadata: []*p4v1.PacketMetadata{{MetadataId: 1, Value: value}}})
	})
}
