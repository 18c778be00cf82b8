package wire

import "testing"

func TestParseMACIsTheInverseOfString(t *testing.T) {
	want := MAC{0x02, 0x00, 0xab, 0xcd, 0xef, 0x01}
	if got, err := ParseMAC(want.String()); err != nil || got != want {
		t.Errorf("%v: %v, %v", want, got, err)
	}
	for _, text := range []string{"", "02:00:ab:cd:ef", "02:00:ab:cd:ef:0g", "02:00:ab:cd:ef:1",
		"02:00:ab:cd:ef:001", "02-00-ab-cd-ef-01", "02:00:ab:cd:ef:01:02"} {
		if m, err := ParseMAC(text); err == nil {
			t.Errorf("%q: %v", text, m)
		}
	}
}
