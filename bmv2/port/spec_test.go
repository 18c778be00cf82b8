package port

import (
	"errors"
	"testing"
)

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]Spec{
		"1@veth0":                      {Number: 1, Interface: "veth0"},
		"510@eth0.7":                   {Number: 510, Interface: "eth0.7"},
		"2@udp:127.0.0.1:5":            {Number: 2, UDP: UDPConfig{Local: "127.0.0.1:5"}},
		"3@udp:127.0.0.1:5,[::1]:6000": {Number: 3, UDP: UDPConfig{"127.0.0.1:5", "[::1]:6000"}},
	} {
		got, err := ParseSpec(text)
		if err != nil || got != want {
			t.Errorf("ParseSpec(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "1", "@eth0", "1@", "x@eth0", "-1@eth0", "511@eth0", "1@udp:", "1@udp:,a:1",
	} {
		if _, err := ParseSpec(text); !errors.Is(err, ErrSpec) {
			t.Errorf("ParseSpec(%q): error %v", text, err)
		}
	}
}

func TestSpecOpens(t *testing.T) {
	for _, text := range []string{"1@udp:127.0.0.1:0", "1@udp:127.0.0.1:0,127.0.0.1:9"} {
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
