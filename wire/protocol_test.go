package wire

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/kv"
)

var rewrite = flag.Bool("rewrite", false, "write expected results into the files that hold them")

const (
	protocolDoc = "../docs/PROTOCOL.md"
	dumpsMarker = "<!-- dumps: written by go test ./wire -run TestProtocolDumps -rewrite -->\n"
)

// dump is a packet of the document.
type dump struct {
	title  string
	packet Packet
}

// dumped lists one packet per operation of clients in the order of the document.
func dumped() []dump {
	key, value := []byte("user:42"), []byte("Ada")
	client := func(op Op, version kv.Version, payload []byte) Packet {
		p := Packet(append(Append(nil, op), payload...))
		p.SetKeyspace(1)
		p.SetRequest(0x0123456789abcdef, 7, 5)
		p.SetRecordVersion(version)
		p.SetIndexKey(kv.RangePartitioned.IndexKey(key))
		return p
	}
	scan := client(OpScan, 0, ScanRequest{Limit: 100, Start: key, End: []byte("user:5")}.Append(nil))
	scan.SetEndIndexKey(kv.RangePartitioned.IndexKey([]byte("user:5")))
	scan.SetScanBudget(4)
	get := client(OpGet, 0, AppendKeyed(nil, key, nil))
	get.Seal()
	reply := Packet(append(get.AppendReply(nil, StatusOK), value...))
	reply.SetRecordVersion(12)
	reply.SetClientAddr(netip.MustParseAddrPort("10.0.200.1:40000"))
	reply.SetSubRange(3, 2)
	reply.SetChain(kv.Chain{0x0a000001, 0x0a000002, 0x0a000003}, 2)
	return []dump{
		{"GET of user:42 in keyspace 1", get},
		{"the reply to it, from the tail of a chain of three", reply},
		{"SCAN from user:42 to user:5, at most 100 records", scan},
		{"PUT of user:42 = Ada", client(OpPut, 0, AppendKeyed(nil, key, value))},
		{"DELETE of user:42, any version", client(OpDelete, 0, AppendKeyed(nil, key, nil))},
		{"CAS of user:42 = Ada if its version is 12", client(OpCAS, 12, AppendKeyed(nil, key, value))},
		{"INCREMENT of user:42 by 1", client(OpIncrement, 0, AppendKeyed(nil, key, AppendNumber(nil, 1)))},
	}
}

// dumpedChain lists one packet per operation between nodes.
func dumpedChain() []dump {
	message := func(op Op, receiver uint64, seq, mark kv.Seq) Packet {
		return AppendChain(nil, op, ChainFields{
			SubRange: 3, Epoch: 2, Sender: 7, Receiver: receiver, Seq: seq, Mark: mark,
		})
	}
	entry := AppendChainEntry(nil, ChainEntryFields{
		Op: OpPut, Effect: EffectPut, Client: 0x0123456789abcdef, Sequence: 7, Lowest: 5,
		ClientAddr: netip.MustParseAddrPort("10.0.200.1:40000"),
		Key:        []byte("user:42"), Value: []byte("Ada"),
	})
	snapshot := Packet(AppendSnapshotHeader(message(OpChainSnapshot, 9, 12, 0),
		AppendRecordCursor(nil, []byte("user:41")).Digest()))
	snapshot = SnapshotRow{Kind: RowRecord, Version: 12, Key: []byte("user:42"), Value: []byte("Ada")}.
		Append(snapshot)
	snapshot.SetSnapshotFlags(SnapshotLast)
	return []dump{
		{"update 12 of sub-range 3, everything up to 11 durable above", append(message(OpChainUpdate, 9, 12, 11), entry...)},
		{"applied up to 12, acknowledged up to 11", message(OpChainAck, 9, 12, 11)},
		{"a member in its life 7 has applied up to 12 and can send again from 4 on", message(OpChainHello, 0, 12, 3)},
		{"its successor has applied up to 12 and acknowledged up to 11", message(OpChainWelcome, 9, 12, 11)},
		{"a member that has lost update 12", message(OpChainFetch, 9, 12, 0)},
		{"gets it back", append(message(OpChainEntries, 9, 12, 0), entry...)},
		{"a member in its life 7 can take updates after 12", message(OpChainReady, 0, 12, 0)},
		{"a learner that has applied up to 12 wants the records behind user:41",
			Packet(AppendRecordCursor(message(OpChainPull, 9, 12, 0), []byte("user:41")))},
		{"and gets all that are left, as update 12 left them", snapshot},
	}
}

func TestProtocolDumps(t *testing.T) {
	var want strings.Builder
	for _, d := range append(dumped(), dumpedChain()...) {
		d.packet.Seal()
		if _, err := Parse(d.packet); err != nil {
			t.Fatalf("%s: %v", d.title, err)
		}
		fmt.Fprintf(&want, "\n%v: %s\n```\n%s```\n", d.packet.Op(), d.title, hex.Dump(d.packet))
	}
	doc, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	prose, got, found := strings.Cut(string(doc), dumpsMarker)
	if !found {
		t.Fatalf("%s has no line %q", protocolDoc, dumpsMarker)
	}
	if *rewrite {
		if err := os.WriteFile(protocolDoc, []byte(prose+dumpsMarker+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want.String() {
		t.Fatalf("the dumps of %s are stale: run go test ./wire -run TestProtocolDumps -rewrite", protocolDoc)
	}
}
