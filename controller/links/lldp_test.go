package links

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/turbokv/turbokv/topology"
)

var sample = topology.End{Name: "s12", Port: 34}

// golden is sample's frame, read against IEEE 802.1AB by hand: Ethernet, chassis id (1, local),
// port id (2, local), TTL (3) of 2 s, system name (5), end.
const golden = "0180c200000e02544b0000ff88cc" + "020407733132" + "0403073334" + "06020002" +
	"0a07547572626f4b56" + "0000"

func TestFrameIsAsTheStandardHasIt(t *testing.T) {
	got, err := Encode(sample, 2)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := hex.DecodeString(golden)
	if rest, ok := bytes.CutPrefix(got, want); !ok || len(bytes.Trim(rest, "\x00")) > 0 {
		t.Errorf("frame\n%x, want, but for padding,\n%x", got, want)
	}
	if from, err := Decode(got); from != sample || err != nil {
		t.Errorf("decoded %v, %v", from, err)
	}
}

func TestFramesOfOthersAreRefused(t *testing.T) {
	frame := func(text string) []byte {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const eth = "0180c200000e02544b0000ff88cc"
	for name, c := range map[string]struct {
		frame   string
		foreign bool
	}{
		"empty":              {"", false},
		"cut":                {golden[:60], false},
		"other EtherType":    {"0180c200000e02544b0000ff0800" + golden[28:], false},
		"no system name":     {eth + "020407733132" + "0403073334" + "06020002" + "0000", true},
		"other system":       {eth + "020407733132" + "0403073334" + "06020002" + "0a024142" + "0000", true},
		"chassis is a MAC":   {eth + "020404733132" + "0403073334" + "06020002" + "0a07547572626f4b56" + "0000", false},
		"port is a name":     {eth + "020407733132" + "0403053334" + "06020002" + "0a07547572626f4b56" + "0000", false},
		"port is no number":  {eth + "020407733132" + "0403073374" + "06020002" + "0a07547572626f4b56" + "0000", false},
		"port is too large":  {eth + "020407733132" + "040c073939393939393939393939" + "06020002" + "0a07547572626f4b56" + "0000", false},
		"management address": {eth + "020407733132" + "0403073334" + "06020002" + "1009ff000000000000000000" + "0000", false},
	} {
		from, err := Decode(frame(c.frame))
		if err == nil || from != (topology.End{}) {
			t.Errorf("%s: decoded %v, %v", name, from, err)
		}
		if errors.Is(err, ErrForeign) != c.foreign {
			t.Errorf("%s: %v: foreign must be %v", name, err, c.foreign)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := hex.DecodeString(golden)
	f.Add(b)
	f.Fuzz(func(t *testing.T, frame []byte) {
		from, err := Decode(frame)
		if err != nil {
			if from != (topology.End{}) {
				t.Errorf("%v of a frame that is refused: %v", from, err)
			}
			return
		}
		again, err := Encode(from, 1)
		if err != nil {
			t.Fatalf("%v: %v", from, err)
		}
		if back, err := Decode(again); back != from || err != nil {
			t.Errorf("%v became %v, %v", from, back, err)
		}
	})
}
