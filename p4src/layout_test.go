package p4src_test

import (
	"encoding/json"
	"regexp"
	"strconv"
	"testing"

	"github.com/turbokv/turbokv/p4src"
	"github.com/turbokv/turbokv/wire"
)

// compiledProgram is the part of bmv2's JSON that says how headers lie in a packet and what the
// constants of the parser are.
type compiledProgram struct {
	HeaderTypes []struct {
		Name   string  `json:"name"`
		Fields [][]any `json:"fields"` // name, bits, signed
	} `json:"header_types"`
}

func (p compiledProgram) fields(t *testing.T, header string) []wire.Field {
	t.Helper()
	for _, h := range p.HeaderTypes {
		if h.Name != header {
			continue
		}
		var fields []wire.Field
		offset := 0
		for _, f := range h.Fields {
			bits := int(f[1].(float64))
			fields = append(fields, wire.Field{Name: f[0].(string), BitOffset: offset, Bits: bits})
			offset += bits
		}
		return fields
	}
	t.Fatalf("the compiled program has no header type %s", header)
	return nil
}

func TestWireLayoutIsTheProgramsLayout(t *testing.T) {
	var program compiledProgram
	if err := json.Unmarshal(p4src.DeviceConfig(), &program); err != nil {
		t.Fatal(err)
	}
	fixed := program.fields(t, "tkv_fixed_t")
	end := fixed[len(fixed)-1]
	route := program.fields(t, "tkv_route_t")
	for i := range route {
		route[i].BitOffset += end.BitOffset + end.Bits // the parser extracts them one after another
	}
	wantFixed, wantRoute := wire.Layout()
	compareLayout(t, "tkv_fixed_t", fixed, wantFixed)
	compareLayout(t, "tkv_route_t", route, wantRoute)
	last := route[len(route)-1]
	if got := last.BitOffset + last.Bits; got != 8*wire.HeaderSize {
		t.Errorf("headers of the program end at bit %d, wire's at %d", got, 8*wire.HeaderSize)
	}
}

func compareLayout(t *testing.T, header string, program, goCode []wire.Field) {
	t.Helper()
	if len(program) != len(goCode) {
		t.Errorf("%s has %d fields in the program, %d in wire", header, len(program), len(goCode))
		return
	}
	for i := range program {
		if program[i] != goCode[i] {
			t.Errorf("%s: the program has %+v, wire %+v", header, program[i], goCode[i])
		}
	}
}

func TestProtocolConstantsAreThoseOfWire(t *testing.T) {
	source := string(readFile(t, "include/protocol.p4"))
	for name, want := range map[string]int{
		"TKV_PORT": wire.Port, "TKV_MAGIC": wire.Magic, "TKV_VERSION": wire.FormatVersion,
		"TKV_BYTES": wire.HeaderSize, "OP_SCAN": int(wire.OpScan),
		"OP_FIRST_WRITE": int(wire.ClassWrite) << 4, "OP_FIRST_OTHER": int(wire.ClassTxn) << 4,
		"FLAG_REPLY": int(wire.FlagReply), "FLAG_FROM_SWITCH": int(wire.FlagFromSwitch),
	} {
		m := regexp.MustCompile(`(?m)^const .* ` + name + ` *= (\w+);`).FindStringSubmatch(source)
		if m == nil {
			t.Errorf("protocol.p4 has no %s", name)
			continue
		}
		if got, err := strconv.ParseInt(m[1], 0, 32); err != nil || int(got) != want {
			t.Errorf("%s is %s in the program, %#x in wire", name, m[1], want)
		}
	}
	for name, n := range enumOf(t, "include/protocol.p4", "status_t") {
		if wire.Status(n).String() != name {
			t.Errorf("status %d is %s in the program, %v in wire", n, name, wire.Status(n))
		}
	}
}
