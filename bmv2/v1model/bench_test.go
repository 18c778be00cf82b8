package v1model_test

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// The benchmarks run the largest program of the module: a 168-byte header in two parts, exact
// and prefix tables of up to 144 bits, IPv4 checksums. It is read as a file, because this package
// must not import the one that holds it.
const bigProgram = "../../p4src/turbokv.json"

const (
	subRanges = 256
	service   = 0x0a000064 // address
	client    = 0x0a000101
	tkvPort   = 21579
)

func num(n uint64, size int) []byte {
	return binary.BigEndian.AppendUint64(nil, n)[8-size:]
}

// rack is a switch with 256 sub-ranges of one keyspace, chains of three nodes.
func rack(b *testing.B) *v1model.Worker {
	data, err := os.ReadFile(bigProgram)
	if err != nil {
		b.Skip(err)
	}
	p, err := bmv2.Load(data)
	must(b, err)
	sw, err := v1model.NewSwitch(p, v1model.Config{})
	must(b, err)
	insert := func(table, action string, match []v1model.Match, params ...[]byte) {
		b.Helper()
		must(b, sw.Insert(&v1model.Entry{Table: table, Action: action, Match: match,
			Params: params}))
	}
	insert("ingress.service.service_table", "ingress.service.to_service",
		[]v1model.Match{{Value: num(service, 4)}})
	insert("ingress.learn.learn_table", "ingress.learn.known",
		[]v1model.Match{{Value: num(client, 4)}, {Value: num(1, 2)}})
	for node := range uint64(16) {
		insert("ingress.forwarding.ipv4_table", "ingress.forwarding.forward",
			[]v1model.Match{{Value: num(0x0a00000b+node, 4), PrefixLen: 32}},
			num(11+node, 2), num(0x02000a00000b+node, 6))
	}
	for i := range uint64(subRanges) {
		insert("ingress.resolve.partition_table", "ingress.resolve.set_sub_range",
			[]v1model.Match{{Value: num(1, 2)}, {Value: append([]byte{byte(i)}, make([]byte,
				15)...),
				PrefixLen: 8}}, num(i+1, 4))
		chain := func(k uint64) []byte { return num(0x0a00000b+(i+k)%16, 4) }
		insert("ingress.sub_range.sub_range_table", "ingress.sub_range.serve",
			[]v1model.Match{{Value: num(i+1, 4)}}, num(7, 4), num(3, 1), chain(0), chain(1),
			chain(2),
			nil, nil, nil, append([]byte{byte(i)}, num(1<<63, 8)...), nil, num(0, 1))
	}
	return sw.NewWorker()
}

// request is an Ethernet frame with a request for the given first byte of the index key.
func request(op, key byte) []byte {
	const payload = 40
	f := make([]byte, 14+20+8+168+payload)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	ip := f[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	binary.BigEndian.PutUint32(ip[12:], client)
	binary.BigEndian.PutUint32(ip[16:], service)
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum>>16+sum&0xffff))
	udp := ip[20:]
	binary.BigEndian.PutUint16(udp, 40000)
	binary.BigEndian.PutUint16(udp[2:], tkvPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	tkv := udp[8:]
	binary.BigEndian.PutUint16(tkv, 0x544b)
	tkv[2], tkv[3] = 1, op
	binary.BigEndian.PutUint16(tkv[8:], 1)  // keyspace
	binary.BigEndian.PutUint16(tkv[12:], 1) // fragment count
	binary.BigEndian.PutUint16(tkv[14:], payload)
	tkv[72] = key
	return f
}

func benchmarkOp(b *testing.B, op byte) {
	w := rack(b)
	frames := make([][]byte, subRanges)
	for i := range frames {
		frames[i] = request(op, byte(i*7))
	}
	sent := 0
	out := func(port uint16, _ []byte) {
		if port >= 11 {
			sent++
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w.Process(1, frames[i%subRanges], out)
	}
	if sent != b.N {
		b.Errorf("%d of %d frames left to a node", sent, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpps")
}

func BenchmarkGet(b *testing.B) { benchmarkOp(b, 0x01) }
func BenchmarkPut(b *testing.B) { benchmarkOp(b, 0x10) }

// BenchmarkInsert measures one more entry in a prefix table that holds thousands.
func BenchmarkInsert(b *testing.B) {
	data, err := os.ReadFile(bigProgram)
	if err != nil {
		b.Skip(err)
	}
	p, err := bmv2.Load(data)
	must(b, err)
	const most = 60000 // the table holds 65536
	entry := func(i uint64) *v1model.Entry {
		key := append(num(i*0x9e3779b97f4a7c15, 8), make([]byte, 8)...)
		return &v1model.Entry{Table: "ingress.resolve.partition_table",
			Action: "ingress.resolve.set_sub_range", Params: [][]byte{num(i, 4)},
			Match: []v1model.Match{{Value: num(1, 2)}, {Value: key, PrefixLen: 64}}}
	}
	var sw *v1model.Switch
	b.ReportAllocs()
	for i := range b.N {
		if i%most == 0 {
			sw, err = v1model.NewSwitch(p, v1model.Config{})
			must(b, err)
		}
		must(b, sw.Insert(entry(uint64(i%most)+1)))
	}
}
