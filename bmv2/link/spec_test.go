package link

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func parse(text string) (s Spec, err error) {
	for option := range strings.SplitSeq(text, ",") {
		if err := s.Set(option); err != nil {
			return s, err
		}
	}
	return s, nil
}

func TestSet(t *testing.T) {
	for text, want := range map[string]Spec{
		"delay=2ms": {Delay: 2 * time.Millisecond},
		"loss=0.01": {Loss: 0.01},
		"loss=25%":  {Loss: 0.25},
		"rate=10Mbit,queue=100,both,delay=1.5ms": {
			Rate: 1e7, Queue: 100, Both: true, Delay: 1500 * time.Microsecond},
		"rate=1.5gbit": {Rate: 15e8},
		"rate=9600bit": {Rate: 9600},
	} {
		if got, err := parse(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// TestSetSaysWhatIsWrong names the property, what is wrong with it, and the valid ones.
func TestSetSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                    `link property ""`,
		"dely=2ms":            `link property "dely=2ms"`,
		"both=1":              `link property "both=1"`,
		"delay=2":             "with a unit",
		"delay=-1ms":          "from 0s to 10s",
		"delay=11s":           "from 0s to 10s",
		"delay=1ms,delay=2ms": "given twice",
		"both,both":           "given twice",
		"loss=1.1":            "from 0 to 1",
		"loss=NaN":            "from 0 to 1",
		"loss=101%":           "from 0 to 1",
		"rate=10":             "units bit, kbit, Mbit, Gbit",
		"rate=0bit":           "1bit to 1000Gbit",
		"rate=NaNbit":         "1bit to 1000Gbit",
		"rate=1001Gbit":       "1bit to 1000Gbit",
		"queue=0":             "1 to 16384 frames",
		"queue=many":          "1 to 16384 frames",
	} {
		_, err := parse(text)
		if !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add("delay=2ms,loss=0.01,rate=10Mbit,queue=100,both")
	f.Add("loss=1e-3%,rate=1.00000001Gbit")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err != nil {
			return
		}
		if s == (Spec{}) { // such as delay=0s
			return
		}
		if again, err := parse(s.String()); err != nil || again != s {
			t.Errorf("%q became %q and then %+v, %v", text, s, again, err)
		}
	})
}
