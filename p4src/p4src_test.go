package p4src_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"

	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/p4src/internal/p4c"
	"github.com/turbokv/turbokv/transport"
)

func TestCommittedOutputBelongsToTheSources(t *testing.T) {
	got, err := p4c.Hash(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if want := string(readFile(t, p4c.SourceHash)); got != want {
		t.Errorf("hash of the sources is %sbut the committed output was made of %s"+
			"run: go generate ./p4src", got, want)
	}
}

func TestCompilerMakesTheCommittedOutput(t *testing.T) {
	if _, err := exec.LookPath(p4c.Compiler); err != nil {
		t.Skipf("%s is not on PATH; the hash test still holds sources and output together", p4c.Compiler)
	}
	out := t.TempDir()
	if err := p4c.Compile(".", out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{p4c.JSON, p4c.P4Info} {
		got := readFile(t, filepath.Join(out, name))
		if !bytes.Equal(got, readFile(t, name)) {
			t.Errorf("%s: p4c makes another file of these sources; run: go generate ./p4src", name)
		}
	}
}

func TestOutputNamesNoMachine(t *testing.T) {
	absolute := regexp.MustCompile(`"(/[^"]*)"`)
	if m := absolute.FindSubmatch(p4src.DeviceConfig()); m != nil {
		t.Errorf("%s holds the path %s", p4c.JSON, m[1])
	}
}

func TestP4InfoHasEveryName(t *testing.T) {
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	names := namesOf(info)
	for _, want := range [][]string{
		{p4src.ServiceTable, p4src.DstAddr},
		{p4src.PartitionTable, p4src.Keyspace, p4src.IndexKey},
		{p4src.SubRangeTable, p4src.ID},
		{p4src.IPv4Table, p4src.DstAddr},
		{p4src.LearnTable, p4src.SrcAddr, p4src.IngressPort},
		{p4src.HopTable, p4src.Group, p4src.Slot},
		{p4src.PortTable, p4src.IngressPort},
		{p4src.ToService}, {p4src.Block}, {p4src.Known},
		{p4src.FromHost}, {p4src.FromBelow}, {p4src.FromAbove},
		{p4src.SetSubRange, p4src.ID},
		{p4src.PassDown, p4src.Port, p4src.DstMAC},
		{p4src.PassUp, p4src.Group},
		{p4src.ToGroup, p4src.Group},
		{p4src.Hop, p4src.Port, p4src.DstMAC},
		{p4src.Serve, p4src.Epoch, p4src.ChainLength, p4src.Node0, p4src.Node1, p4src.Node2,
			p4src.Node3, p4src.Node4, p4src.Node5, p4src.LastIndexKey, p4src.NextIndexKey,
			p4src.IsLast},
		{p4src.Forward, p4src.Port, p4src.DstMAC},
		{p4src.ReadCounter}, {p4src.WriteCounter}, {p4src.DropCounter}, {p4src.LearnDigest},
		{p4src.PacketIn, p4src.IngressPort},
		{p4src.PacketOut, p4src.EgressPort, p4src.Submit},
	} {
		got, ok := names[want[0]]
		if !ok {
			t.Errorf("P4Info has no %q", want[0])
			continue
		}
		for i, field := range want[1:] {
			if i >= len(got) || got[i] != field {
				t.Errorf("%s: fields are %q, want %q at %d", want[0], got, field, i)
			}
		}
	}
}

// namesOf maps the alias of every object to the names of its fields or parameters in order.
func namesOf(info *configv1.P4Info) map[string][]string {
	names := map[string][]string{}
	for _, t := range info.GetTables() {
		alias := t.GetPreamble().GetAlias()
		names[alias] = nil
		for _, f := range t.GetMatchFields() {
			names[alias] = append(names[alias], f.GetName())
		}
	}
	for _, a := range info.GetActions() {
		alias := a.GetPreamble().GetAlias()
		names[alias] = nil
		for _, p := range a.GetParams() {
			names[alias] = append(names[alias], p.GetName())
		}
	}
	for _, h := range info.GetControllerPacketMetadata() {
		alias := h.GetPreamble().GetAlias()
		for _, m := range h.GetMetadata() {
			names[alias] = append(names[alias], m.GetName())
		}
	}
	for _, c := range info.GetCounters() {
		names[c.GetPreamble().GetAlias()] = nil
	}
	for _, d := range info.GetDigests() {
		names[d.GetPreamble().GetAlias()] = nil
	}
	return names
}

// enumOf returns the members of a serializable enum of the P4 sources.
func enumOf(t *testing.T, file, name string) map[string]int {
	t.Helper()
	form := regexp.MustCompile(`(?s)enum bit<8> ` + name + ` \{(.*?)\n\}`)
	body := form.FindSubmatch(readFile(t, file))
	if body == nil {
		t.Fatalf("%s has no enum %s", file, name)
	}
	members := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\s+(\w+)\s*= (\d+)`).FindAllSubmatch(body[1], -1) {
		members[string(m[1])], _ = strconv.Atoi(string(m[2]))
	}
	return members
}

func TestDropReasonsAreThoseOfTheProgram(t *testing.T) {
	program := enumOf(t, "include/ids.p4", "drop_reason_t")
	if len(program) != len(p4src.DropReasons())+1 { // NONE is no reason
		t.Errorf("the program has %d members, Go %d reasons and NONE",
			len(program), len(p4src.DropReasons()))
	}
	for _, r := range p4src.DropReasons() {
		if n, ok := program[r.String()]; !ok || n != int(r) {
			t.Errorf("%v is %d in Go, %d in the program", r, r, n)
		}
	}
}

func TestSharedNumbersAreThoseOfTheProgram(t *testing.T) {
	gateway := binary.BigEndian.Uint64(append([]byte{0, 0}, transport.GatewayMAC[:]...))
	for _, c := range []struct {
		file, pattern string
		want          int
	}{
		{"include/ids.p4", `CPU_PORT = (\d+);`, p4src.CPUPort},
		{"include/ids.p4", `SCAN_CLONE_SESSION = (\d+);`, p4src.ScanCloneSession},
		{"include/sizes.p4", `#define SCAN_BUDGET_MAX (\d+)`, p4src.MaxScanBudget},
		{"include/protocol.p4", `ETHERTYPE_LLDP = (\w+);`, p4src.EtherTypeLLDP},
		{"include/protocol.p4", `ROUTER_MAC = (\w+);`, int(gateway)},
	} {
		m := regexp.MustCompile(c.pattern).FindSubmatch(readFile(t, c.file))
		if m == nil {
			t.Errorf("%s has no %s", c.file, c.pattern)
			continue
		}
		if got, err := strconv.ParseInt(string(m[1]), 0, 64); err != nil || int(got) != c.want {
			t.Errorf("%s: %s gives %q, Go has %d", c.file, c.pattern, m, c.want)
		}
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
