package p4rt

import (
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func cellOf(id uint32, index, packets, bytes int64) *p4v1.Entity {
	return counterEntity(&p4v1.CounterEntry{CounterId: id, Index: &p4v1.Index{Index: index},
		Data: &p4v1.CounterData{PacketCount: packets, ByteCount: bytes}})
}

func TestCounters(t *testing.T) {
	r := newRig(t).withPipeline()
	id := r.counterID()
	for range 3 {
		r.receive(2, ethernet(1))
	}
	all := counterEntity(&p4v1.CounterEntry{CounterId: id})
	r.mustRead(all,
		cellOf(id, 0, 0, 0), cellOf(id, 1, 0, 0), cellOf(id, 2, 3, 180), cellOf(id, 3, 0, 0))
	r.mustWrite(modify(cellOf(id, 3, 7, 8)))
	r.mustWrite(modify(cellOf(id, 2, 0, 0)))
	r.mustRead(counterEntity(&p4v1.CounterEntry{}),
		cellOf(id, 0, 0, 0), cellOf(id, 1, 0, 0), cellOf(id, 2, 0, 0), cellOf(id, 3, 7, 8))
	r.mustRead(counterEntity(&p4v1.CounterEntry{CounterId: id, Index: &p4v1.Index{Index: 3}}),
		cellOf(id, 3, 7, 8))
	for name, c := range map[string]struct {
		update *p4v1.Update
		want   codes.Code
	}{
		"insert":    {insert(cellOf(id, 0, 1, 1)), codes.InvalidArgument},
		"delete":    {remove(cellOf(id, 0, 1, 1)), codes.InvalidArgument},
		"negative":  {modify(cellOf(id, -1, 1, 1)), codes.InvalidArgument},
		"too large": {modify(cellOf(id, 4, 1, 1)), codes.OutOfRange},
		"unknown":   {modify(cellOf(1, 0, 1, 1)), codes.InvalidArgument},
	} {
		if got := r.write(c.update)[0]; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestDirectCounters(t *testing.T) {
	r := newRig(t).withPipeline()
	one := r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x01")
	two := r.entry(forwardTable, key(exact(1, "\x06")), "ingress.forward", "\x01")
	two.CounterData = &p4v1.CounterData{PacketCount: 10, ByteCount: 1000}
	r.mustWrite(insert(tableEntity(one)), insert(tableEntity(two)))
	r.receive(1, ethernet(5))
	r.receive(1, ethernet(6))
	keyOf := func(e *p4v1.TableEntry) *p4v1.TableEntry {
		return &p4v1.TableEntry{TableId: e.TableId, Match: e.Match}
	}
	data := func(packets, bytes int64) *p4v1.CounterData {
		return &p4v1.CounterData{PacketCount: packets, ByteCount: bytes}
	}
	r.mustRead(directEntity(&p4v1.TableEntry{TableId: one.TableId}, nil),
		directEntity(keyOf(one), data(1, 60)), directEntity(keyOf(two), data(11, 1060)))
	// A modified entry keeps its counter, and a refused entry leaves the counter alone.
	again := proto.Clone(two).(*p4v1.TableEntry)
	again.CounterData = data(500, 500)
	if got := r.write(insert(tableEntity(again)))[0]; got != codes.AlreadyExists {
		t.Errorf("second insert: %v", got)
	}
	again.CounterData = nil
	r.mustWrite(modify(tableEntity(again)))
	r.mustRead(directEntity(keyOf(two), nil), directEntity(keyOf(two), data(11, 1060)))
	r.mustWrite(modify(directEntity(keyOf(two), data(3, 4))))
	withCounter := keyOf(two)
	withCounter.CounterData = &p4v1.CounterData{}
	two.CounterData = data(3, 4)
	r.mustRead(tableEntity(withCounter), tableEntity(two))
	r.mustWrite(modify(directEntity(keyOf(two), nil))) // without data it stays as it is
	r.mustRead(directEntity(keyOf(two), nil), directEntity(keyOf(two), data(3, 4)))
	for _, u := range []*p4v1.Update{
		insert(directEntity(keyOf(two), nil)), remove(directEntity(keyOf(two), nil)),
	} {
		if got := r.write(u)[0]; got != codes.InvalidArgument {
			t.Errorf("%v: %v", u.GetType(), got)
		}
	}
	absent := keyOf(r.entry(forwardTable, key(exact(1, "\x09")), ""))
	countless := &p4v1.TableEntry{TableId: r.tableID(prefixTable)}
	for name, c := range map[string]struct {
		entity *p4v1.Entity
		want   codes.Code
	}{
		"no such entry":  {directEntity(absent, data(1, 1)), codes.NotFound},
		"no counter":     {directEntity(countless, nil), codes.InvalidArgument},
		"no table entry": {directEntity(nil, data(1, 1)), codes.InvalidArgument},
		"default": {directEntity(&p4v1.TableEntry{TableId: one.TableId, IsDefaultAction: true}, nil),
			codes.Unimplemented},
	} {
		if got := r.write(modify(c.entity))[0]; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	r.mustRead(directEntity(&p4v1.TableEntry{}, nil), // of all tables
		directEntity(keyOf(one), data(1, 60)), directEntity(keyOf(two), data(3, 4)))
}

func TestCloneSessions(t *testing.T) {
	r := newRig(t).withPipeline()
	five := session(5, 20, replica(3, 1), replica(4, 0))
	r.mustWrite(insert(five),
		insert(tableEntity(r.entry(prefixTable, nil, "ingress.mirror"))),
		insert(tableEntity(r.entry(forwardTable, key(exact(1, "\x05")), "ingress.forward", "\x01"))))
	out := r.receive(2, ethernet(5))
	lengths := make(map[uint16]int)
	for _, f := range out {
		lengths[f.port] = len(f.frame)
	}
	if len(out) != 3 || lengths[1] != 60 || lengths[3] != 20 || lengths[4] != 20 {
		t.Errorf("port -> bytes: %v, want 60 at 1 and 20 at 3 and 4", lengths)
	}
	other := session(5, 0, replica(6, 0))
	byName := &p4v1.Replica{PortKind: &p4v1.Replica_Port{Port: []byte{0, 9}}, Instance: 3}
	six := session(6, 0, byName)
	r.mustWrite(modify(other), insert(six))
	r.mustRead(session(0, 0), other, six)
	r.mustRead(session(6, 0), six)
	for name, c := range map[string]struct {
		update *p4v1.Update
		want   codes.Code
	}{
		"again":        {insert(five), codes.AlreadyExists},
		"unknown":      {modify(session(7, 0)), codes.NotFound},
		"zero":         {insert(session(0, 0)), codes.InvalidArgument},
		"id too large": {insert(session(1<<15, 0)), codes.InvalidArgument},
		"negative":     {insert(session(8, -1)), codes.InvalidArgument},
		"twice":        {insert(session(8, 0, replica(1, 1), replica(1, 1))), codes.InvalidArgument},
		"port":         {insert(session(8, 0, replica(512, 1))), codes.InvalidArgument},
		"no port":      {insert(session(8, 0, &p4v1.Replica{})), codes.InvalidArgument},
		"instance":     {insert(session(8, 0, replica(1, 1<<16))), codes.InvalidArgument},
	} {
		if got := r.write(c.update)[0]; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	r.mustWrite(remove(session(6, 0)))
	if got := r.write(remove(session(6, 0)))[0]; got != codes.NotFound {
		t.Errorf("second delete: %v", got)
	}
	if _, err := r.read(session(6, 0)); codeOf(err) != codes.NotFound {
		t.Errorf("reading a session that is gone: %v", err)
	}
}

func TestMulticastGroups(t *testing.T) {
	r := newRig(t).withPipeline()
	three := group(3, replica(1, 1), replica(2, 1), replica(2, 2))
	r.mustWrite(insert(three),
		insert(tableEntity(r.entry(forwardTable, key(exact(1, "\x05")), "ingress.flood", "\x03"))))
	ports := make(map[uint16]int)
	for _, f := range r.receive(7, ethernet(5)) {
		ports[f.port]++
	}
	if len(ports) != 2 || ports[1] != 1 || ports[2] != 2 {
		t.Errorf("copies per port %v, want one at 1 and two at 2", ports)
	}
	r.mustRead(group(0), three)
	neither := replicationEntity(&p4v1.PacketReplicationEngineEntry{})
	for name, c := range map[string]struct {
		update *p4v1.Update
		want   codes.Code
	}{
		"again":        {insert(three), codes.AlreadyExists},
		"unknown":      {remove(group(4)), codes.NotFound},
		"zero":         {insert(group(0)), codes.InvalidArgument},
		"id too large": {insert(group(1 << 15)), codes.OutOfRange},
		"no type":      {insert(neither), codes.InvalidArgument},
	} {
		if got := r.write(c.update)[0]; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	r.mustWrite(remove(group(3)))
	r.mustRead(group(0))
}

// While the port of a copy is down, the first backup whose port is up takes its place.
func TestBackupReplicas(t *testing.T) {
	r := newRig(t).withEntities()
	backup := func(port, instance uint32, backups ...*p4v1.BackupReplica) *p4v1.Replica {
		r := replica(port, instance)
		r.BackupReplicas = backups
		return r
	}
	at := func(port string, instance uint32) *p4v1.BackupReplica {
		return &p4v1.BackupReplica{Port: []byte(port), Instance: instance}
	}
	three := group(3, replica(1, 1), backup(2, 1, at("\x03", 5), at("\x04", 6)))
	three.GetPacketReplicationEngineEntry().GetMulticastGroupEntry().Metadata = []byte("mine")
	r.mustWrite(insert(three),
		insert(tableEntity(r.direct("counted_table", key(exact(1, "\x07")), "many", "\x03"))))
	r.mustRead(group(3), three)
	expect := func(when string, want ...uint16) {
		t.Helper()
		got := r.portsOf(1, 7)
		for _, port := range want {
			if got[port] != 1 || len(got) != len(want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
	}
	expect("all up", 1, 2)
	r.sw.SetPort(2, false)
	expect("port 2 down", 1, 3)
	r.sw.SetPort(3, false)
	expect("2 and 3 down", 1, 4)
	r.sw.SetPort(4, false)
	expect("all of it down", 1)
	r.sw.SetPort(3, true)
	expect("3 up again", 1, 3)
	r.sw.SetPort(2, true)
	expect("2 up again", 1, 2)
	r.mustRefuseAs(codes.InvalidArgument, map[string]*p4v1.Update{
		"same port":  insert(group(4, backup(2, 1, at("\x02", 2)))),
		"same pair":  insert(group(4, replica(3, 1), backup(2, 1, at("\x03", 1)))),
		"no port":    insert(group(4, backup(2, 1, at("", 1)))),
		"large port": insert(group(4, backup(2, 1, at("\x02\x00", 1)))),
		"instance":   insert(group(4, backup(2, 1, at("\x04", 1<<16)))),
	})
}

func TestRegisters(t *testing.T) {
	r := newRig(t).withPipeline()
	id := r.registerID()
	at := func(i int64) *p4v1.Index { return &p4v1.Index{Index: i} }
	r.receive(1, ethernet(1))
	r.mustWrite(modify(registerEntity(id, at(2), "\x00\x01\xff\xff")))
	r.mustRead(registerEntity(id, nil, ""), registerEntity(id, at(0), "\x3c"),
		registerEntity(id, at(1), "\x00"), registerEntity(id, at(2), "\x01\xff\xff"))
	for name, c := range map[string]struct {
		update *p4v1.Update
		want   codes.Code
	}{
		"too wide":  {modify(registerEntity(id, at(0), "\x02\x00\x00")), codes.InvalidArgument},
		"too large": {modify(registerEntity(id, at(3), "\x01")), codes.OutOfRange},
		"insert":    {insert(registerEntity(id, at(0), "\x01")), codes.InvalidArgument},
		"negative":  {modify(registerEntity(id, at(-1), "\x01")), codes.InvalidArgument},
		"no value":  {modify(registerEntity(id, at(0), "")), codes.InvalidArgument},
	} {
		if got := r.write(c.update)[0]; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Without an index all cells are written.
func TestWholeArrays(t *testing.T) {
	r := newRig(t).withPipeline()
	id := r.counterID()
	r.mustWrite(modify(counterEntity(&p4v1.CounterEntry{CounterId: id,
		Data: &p4v1.CounterData{PacketCount: 3, ByteCount: 4}})))
	r.mustWrite(modify(counterEntity(&p4v1.CounterEntry{CounterId: id}))) // no data: nothing happens
	r.mustRead(counterEntity(&p4v1.CounterEntry{CounterId: id}),
		cellOf(id, 0, 3, 4), cellOf(id, 1, 3, 4), cellOf(id, 2, 3, 4), cellOf(id, 3, 3, 4))
	id = r.registerID()
	at := func(i int64) *p4v1.Index { return &p4v1.Index{Index: i} }
	r.mustWrite(modify(registerEntity(id, nil, "\x07")))
	r.mustRead(registerEntity(0, nil, ""), registerEntity(id, at(0), "\x07"),
		registerEntity(id, at(1), "\x07"), registerEntity(id, at(2), "\x07"))
}

func TestDigests(t *testing.T) {
	r := newRig(t).withPipeline()
	r.mustWrite(insert(tableEntity(ranked(r.entry(rankedTable, nil, "ingress.learn"), 1))))
	r.receive(9, ethernet(1)) // nobody wants it
	config := digestEntity(r.digestID(), &p4v1.DigestEntry_Config{AckTimeoutNs: 1e15})
	r.mustWrite(insert(config))
	r.mustRead(digestEntity(0, nil), config)
	p := r.connect()
	p.elect(1)
	list := func(id uint64, port string) {
		t.Helper()
		got := p.receive().GetDigest()
		want := &p4v1.DigestList{DigestId: r.digestID(), ListId: id, Timestamp: got.GetTimestamp(),
			Data: []*p4v1.P4Data{{Data: &p4v1.P4Data_Struct{Struct: &p4v1.P4StructLike{
				Members: []*p4v1.P4Data{
					{Data: &p4v1.P4Data_Bitstring{Bitstring: []byte{0x11}}},
					{Data: &p4v1.P4Data_Bitstring{Bitstring: []byte(port)}},
				}}}}}}
		if !proto.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	r.receive(9, ethernet(1))
	list(1, "\x09")
	r.receive(9, ethernet(1)) // not acknowledged yet
	r.receive(256, ethernet(1))
	list(2, "\x01\x00")
	p.send(&p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_DigestAck{
		DigestAck: &p4v1.DigestListAck{DigestId: r.digestID(), ListId: 1}}})
	p.elect(1) // once it is answered, the acknowledgement was taken
	r.receive(9, ethernet(1))
	list(3, "\x09")
	_, err := r.client.Write(r.context(), &p4v1.WriteRequest{DeviceId: device,
		ElectionId: &p4v1.Uint128{Low: 1}, Updates: []*p4v1.Update{remove(config)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.read(digestEntity(r.digestID(), nil)); codeOf(err) != codes.NotFound {
		t.Errorf("reading a digest that is not configured: %v", err)
	}
}
