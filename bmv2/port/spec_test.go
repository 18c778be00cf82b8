package port

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turbokv/turbokv/bmv2/link"
)

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]Spec{
		"1@veth0":                      {Number: 1, Interface: "veth0"},
		"510@eth0.7":                   {Number: 510, Interface: "eth0.7"},
		"2@udp:127.0.0.1:5":            {Number: 2, UDP: UDPConfig{Local: "127.0.0.1:5"}},
		"3@udp:127.0.0.1:5,[::1]:6000": {Number: 3, UDP: UDPConfig{"127.0.0.1:5", "[::1]:6000"}},
		"1@veth0,io=xdp":               {Number: 1, Interface: "veth0", IO: IOXDP},
		"1@veth0,workers=4,loss=1,io=ring": {Number: 1, Interface: "veth0", IO: IORing, Workers: 4,
			Link: link.Spec{Loss: 1}},
		"1@veth0,delay=2ms,loss=0.01,rate=10Mbit,queue=100,both": {Number: 1, Interface: "veth0",
			Link: link.Spec{Delay: 2 * time.Millisecond, Loss: 0.01, Rate: 1e7, Queue: 100, Both: true}},
		"2@udp:127.0.0.1:5,both,loss=1%": {Number: 2, UDP: UDPConfig{Local: "127.0.0.1:5"},
			Link: link.Spec{Both: true, Loss: 0.01}},
		"3@udp:a:5,b:6,queue=7": {Number: 3, UDP: UDPConfig{"a:5", "b:6"}, Link: link.Spec{Queue: 7}},
	} {
		got, err := ParseSpec(text)
		if err != nil || got != want {
			t.Errorf("ParseSpec(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "1", "@eth0", "1@", "x@eth0", "-1@eth0", "511@eth0", "1@udp:", "1@udp:,a:1",
		"1@,delay=1ms", "1@udp:127.0.0.1:5,io=xdp", "1@udp:127.0.0.1:5,workers=2",
	} {
		if _, err := ParseSpec(text); !errors.Is(err, ErrSpec) {
			t.Errorf("ParseSpec(%q): error %v", text, err)
		}
	}
}

func TestParseSpecNamesTheProperty(t *testing.T) {
	for _, text := range []string{"1@veth0,dely=2ms", "1@veth0,", "1@udp:a:1,b:2,c:3", "1@udp:a:1,rate=10"} {
		_, err := ParseSpec(text)
		if !errors.Is(err, link.ErrOption) || !strings.Contains(err.Error(), text) {
			t.Errorf("ParseSpec(%q): error %v", text, err)
		}
	}
}

func TestParseSpecSaysWhatIsValid(t *testing.T) {
	for text, want := range map[string]string{
		"1@veth0,io=fast":     "valid are auto, socket, ring and xdp",
		"1@veth0,workers=0":   "1 to 64 workers",
		"1@veth0,workers=two": "1 to 64 workers",
	} {
		_, err := ParseSpec(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text) {
			t.Errorf("ParseSpec(%q): error %v", text, err)
		}
	}
}

func TestSpecOpens(t *testing.T) {
	for _, text := range []string{"1@udp:127.0.0.1:0", "1@udp:127.0.0.1:0,127.0.0.1:9",
		"1@udp:127.0.0.1:0,delay=1ms,both"} {
		s, err := ParseSpec(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	if _, err := (Spec{Interface: "no-such-if"}).Open(); err == nil {
		t.Error("an interface that does not exist was opened")
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add("1@veth0")
	f.Add("2@udp:127.0.0.1:5002,10.0.0.1:1")
	f.Add("1@veth0,io=ring,workers=3")
	f.Add("1@veth0,delay=2ms,loss=0.01,rate=10Mbit,queue=100,both")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpec(text)
		if err != nil {
			return
		}
		if again, err := ParseSpec(s.String()); err != nil || again != s {
			t.Errorf("%q became %q and then %+v, %v", text, s, again, err)
		}
	})
}
