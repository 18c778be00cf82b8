package p4rt

import (
	"bytes"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2"
)

const (
	verify    = p4v1.SetForwardingPipelineConfigRequest_VERIFY
	save      = p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_SAVE
	commit    = p4v1.SetForwardingPipelineConfigRequest_COMMIT
	both      = p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT
	reconcile = p4v1.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT
)

func (r *rig) setPipeline(
	action p4v1.SetForwardingPipelineConfigRequest_Action, config *p4v1.ForwardingPipelineConfig,
) codes.Code {
	_, err := r.client.SetForwardingPipelineConfig(r.context(),
		&p4v1.SetForwardingPipelineConfigRequest{DeviceId: device, Action: action, Config: config})
	return status.Code(err)
}

func (r *rig) getPipeline(
	kind p4v1.GetForwardingPipelineConfigRequest_ResponseType,
) (*p4v1.ForwardingPipelineConfig, error) {
	m, err := r.client.GetForwardingPipelineConfig(r.context(),
		&p4v1.GetForwardingPipelineConfigRequest{DeviceId: device, ResponseType: kind})
	return m.GetConfig(), err
}

func TestNothingWorksWithoutPipeline(t *testing.T) {
	r := newRig(t)
	if got := r.write(&p4v1.Update{})[0]; got != codes.FailedPrecondition {
		t.Errorf("Write: %v", got)
	}
	_, err := r.read(tableEntity(&p4v1.TableEntry{}))
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Read: %v", err)
	}
	if config, err := r.getPipeline(0); err != nil || config != nil {
		t.Errorf("GetForwardingPipelineConfig: %v, %v", config, err)
	}
	if got := r.setPipeline(verify, basicConfig(t)); got != codes.OK {
		t.Errorf("VERIFY: %v", got)
	}
	if config, err := r.getPipeline(0); err != nil || config != nil {
		t.Errorf("VERIFY left something behind: %v, %v", config, err)
	}
}

func TestGetPipelineParts(t *testing.T) {
	r := newRig(t)
	config := basicConfig(t)
	if got := r.setPipeline(both, config); got != codes.OK {
		t.Fatal(got)
	}
	type kinds = p4v1.GetForwardingPipelineConfigRequest_ResponseType
	for kind, want := range map[kinds]*p4v1.ForwardingPipelineConfig{
		p4v1.GetForwardingPipelineConfigRequest_ALL:         config,
		p4v1.GetForwardingPipelineConfigRequest_COOKIE_ONLY: {Cookie: config.Cookie},
		p4v1.GetForwardingPipelineConfigRequest_P4INFO_AND_COOKIE: {
			Cookie: config.Cookie, P4Info: config.P4Info},
		p4v1.GetForwardingPipelineConfigRequest_DEVICE_CONFIG_AND_COOKIE: {
			Cookie: config.Cookie, P4DeviceConfig: config.P4DeviceConfig},
	} {
		if got, err := r.getPipeline(kind); err != nil || !proto.Equal(got, want) {
			t.Errorf("%v: %v", kind, err)
		}
	}
	if _, err := r.getPipeline(9); status.Code(err) != codes.InvalidArgument {
		t.Errorf("unknown response type: %v", err)
	}
}

func TestRefusedPipelines(t *testing.T) {
	r := newRig(t)
	change := func(f func(*p4v1.ForwardingPipelineConfig)) *p4v1.ForwardingPipelineConfig {
		c := basicConfig(t)
		f(c)
		return c
	}
	for name, c := range map[string]struct {
		action p4v1.SetForwardingPipelineConfigRequest_Action
		config *p4v1.ForwardingPipelineConfig
		want   codes.Code
	}{
		"unspecified": {0, basicConfig(t), codes.InvalidArgument},
		"no config":   {both, nil, codes.InvalidArgument},
		"no p4info": {both, change(func(c *p4v1.ForwardingPipelineConfig) {
			c.P4Info = nil
		}), codes.InvalidArgument},
		"no device config": {both, change(func(c *p4v1.ForwardingPipelineConfig) {
			c.P4DeviceConfig = nil
		}), codes.InvalidArgument},
		"broken json": {verify, change(func(c *p4v1.ForwardingPipelineConfig) {
			c.P4DeviceConfig = []byte("{")
		}), codes.InvalidArgument},
		"another program's table": {both, change(func(c *p4v1.ForwardingPipelineConfig) {
			c.P4Info.Tables[0].Preamble.Name = "ingress.other"
		}), codes.InvalidArgument},
		"another key": {both, change(func(c *p4v1.ForwardingPipelineConfig) {
			c.P4Info.Tables[0].MatchFields = nil
		}), codes.InvalidArgument},
		"narrower field": {both, change(func(c *p4v1.ForwardingPipelineConfig) {
			c.P4Info.Tables[0].MatchFields[0].Bitwidth = 32
		}), codes.InvalidArgument},
		"another parameter count": {both, change(func(c *p4v1.ForwardingPipelineConfig) {
			for _, a := range c.P4Info.Actions {
				a.Params = nil
			}
		}), codes.InvalidArgument},
		"another digest": {both, change(func(c *p4v1.ForwardingPipelineConfig) {
			c.P4Info.Digests[0].Preamble.Name = "other"
		}), codes.InvalidArgument},
		"commit without save": {commit, nil, codes.NotFound},
		"commit with config":  {commit, basicConfig(t), codes.InvalidArgument},
	} {
		if got := r.setPipeline(c.action, c.config); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if config, err := r.getPipeline(0); err != nil || config != nil {
		t.Errorf("a refused pipeline is in service: %v, %v", config, err)
	}
}

// Between SAVE and COMMIT controllers write to the new pipeline while packets meet the old one.
// p4c leaves a table without effect in P4Info and out of the device config; PI takes that as it is.
// Its key may also have a type without a width.
func TestTablesOnlyOfP4Info(t *testing.T) {
	r := newRig(t)
	c := basicConfig(t)
	extra := proto.Clone(c.P4Info.Tables[0]).(*p4config.Table)
	extra.Preamble.Name, extra.Preamble.Alias, extra.Preamble.Id = "ingress.idle", "idle", 0x02aaaaaa
	extra.DirectResourceIds = nil
	c.P4Info.Tables = append(c.P4Info.Tables, extra)
	c.P4Info.Tables[0].MatchFields[0].Bitwidth = 0
	if got := r.setPipeline(both, c); got != codes.OK {
		t.Fatalf("pipeline: %v", got)
	}
	r.info = c.P4Info
	e := r.entry(forwardTable, key(exact(1, "\x01")), "ingress.forward", "\x01")
	if got := r.write(insert(tableEntity(e)))[0]; got != codes.OK {
		t.Errorf("entry of a table whose key has no width: %v", got)
	}
	e = proto.Clone(e).(*p4v1.TableEntry)
	e.TableId = extra.Preamble.Id
	if got := r.write(insert(tableEntity(e)))[0]; got != codes.FailedPrecondition {
		t.Errorf("entry of a table that is not there: %v", got)
	}
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: extra.Preamble.Id}))
}

func TestSaveThenCommit(t *testing.T) {
	r := newRig(t).withPipeline()
	r.mustWrite(insert(tableEntity(
		r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x01"))))
	if got := r.setPipeline(save, basicConfig(t)); got != codes.OK {
		t.Fatal(got)
	}
	next := tableEntity(r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x02"))
	r.mustWrite(insert(next))
	if out := r.receive(9, ethernet(5)); len(out) != 1 || out[0].port != 1 {
		t.Errorf("before COMMIT: %v, want port 1", out)
	}
	if got := r.setPipeline(commit, nil); got != codes.OK {
		t.Fatal(got)
	}
	if out := r.receive(9, ethernet(5)); len(out) != 1 || out[0].port != 2 {
		t.Errorf("after COMMIT: %v, want port 2", out)
	}
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: r.tableID(forwardTable)}), next)
	if got := r.setPipeline(commit, nil); got != codes.NotFound {
		t.Errorf("second COMMIT: %v", got)
	}
}

func TestCommitForgetsAndReconcileKeeps(t *testing.T) {
	r := newRig(t).withPipeline()
	standard := r.entry(forwardTable, nil, "ingress.forward", "\x06")
	standard.IsDefaultAction = true
	entry := r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x01")
	entry.Metadata = []byte("mine")
	state := []*p4v1.Entity{
		tableEntity(entry),
		tableEntity(ranked(r.entry(rankedTable, key(interval(2, "\x01", "\x03")), "ingress.learn"), 4)),
		session(5, 0, replica(3, 1)),
		group(2, replica(1, 0)),
		digestEntity(r.digestID(), &p4v1.DigestEntry_Config{MaxListSize: 2}),
	}
	for _, e := range state {
		r.mustWrite(insert(e))
	}
	r.mustWrite(modify(tableEntity(standard)))
	r.receive(9, ethernet(5))
	if got := r.setPipeline(reconcile, basicConfig(t)); got != codes.OK {
		t.Fatal(got)
	}
	if out := r.receive(9, ethernet(5)); len(out) != 1 || out[0].port != 1 {
		t.Errorf("after RECONCILE: %v, want port 1", out)
	}
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: entry.TableId}), state[0])
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: r.tableID(rankedTable)}), state[1])
	r.mustRead(session(0, 0), state[2])
	r.mustRead(group(0), state[3])
	r.mustRead(digestEntity(0, nil), state[4])
	r.mustRead(tableEntity(&p4v1.TableEntry{TableId: entry.TableId, IsDefaultAction: true}),
		tableEntity(standard))
	r.mustRead(directEntity(&p4v1.TableEntry{TableId: entry.TableId}, nil), directEntity(
		&p4v1.TableEntry{TableId: entry.TableId, Match: entry.Match},
		&p4v1.CounterData{PacketCount: 2, ByteCount: 120}))
	if got := r.setPipeline(both, basicConfig(t)); got != codes.OK {
		t.Fatal(got)
	}
	for _, request := range []*p4v1.Entity{
		tableEntity(&p4v1.TableEntry{TableId: entry.TableId}),
		session(0, 0), group(0), digestEntity(0, nil),
	} {
		r.mustRead(request)
	}
}

func TestCapabilities(t *testing.T) {
	r := newRig(t)
	for id, want := range map[uint64]codes.Code{
		0: codes.OK, device: codes.OK, device + 1: codes.NotFound,
	} {
		m, err := r.client.Capabilities(t.Context(), &p4v1.CapabilitiesRequest{DeviceId: id})
		if status.Code(err) != want || err == nil && m.GetP4RuntimeApiVersion() != APIVersion {
			t.Errorf("device %d: %v, %v", id, m, err)
		}
	}
}

func TestOtherDevicesAreUnknown(t *testing.T) {
	r := newRig(t).withPipeline()
	_, err := r.client.Write(r.context(), &p4v1.WriteRequest{DeviceId: device + 1})
	if status.Code(err) != codes.NotFound {
		t.Errorf("Write: %v", err)
	}
	_, err = r.client.GetForwardingPipelineConfig(r.context(),
		&p4v1.GetForwardingPipelineConfigRequest{DeviceId: device + 1})
	if status.Code(err) != codes.NotFound {
		t.Errorf("GetForwardingPipelineConfig: %v", err)
	}
}

// legacy wraps a device config as the P4 tutorials do.
func legacy(json []byte) []byte {
	wrapped := protowire.AppendTag(nil, 1, protowire.VarintType)
	wrapped = protowire.AppendVarint(wrapped, 1)
	wrapped = protowire.AppendTag(wrapped, legacyDeviceData, protowire.BytesType)
	return protowire.AppendBytes(wrapped, json)
}

func TestLegacyDeviceConfig(t *testing.T) {
	r := newRig(t)
	config := basicConfig(t)
	config.P4DeviceConfig = legacy(basicJSON)
	if got := r.setPipeline(both, config); got != codes.OK {
		t.Errorf("wrapped device config: %v", got)
	}
}

func FuzzDeviceData(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add(legacy([]byte("{}")))
	f.Add([]byte{0x1a, 0xff})
	f.Fuzz(func(t *testing.T, config []byte) {
		if len(config) == 0 {
			return
		}
		if data := deviceData(config); !bytes.Contains(config, data) {
			t.Errorf("%x is not part of %x", data, config)
		}
	})
}

// No P4Info, however broken, may panic: it is refused, or it binds to the program.
func FuzzPipeline(f *testing.F) {
	config := basicConfig(f)
	info, err := proto.Marshal(config.GetP4Info())
	if err != nil {
		f.Fatal(err)
	}
	program, err := bmv2.Load(basicJSON)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(info)
	f.Add(info[:len(info)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		info := new(p4config.P4Info)
		if proto.Unmarshal(data, info) != nil {
			return
		}
		p, err := newPipeline(&p4v1.ForwardingPipelineConfig{P4Info: info}, program)
		if (p == nil) != (err != nil) {
			t.Errorf("pipeline %v, error %v", p, err)
		}
	})
}
