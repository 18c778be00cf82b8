package link

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Limits and defaults of Spec.
const (
	MaxDelay = 10 * time.Second
	MaxRate  = 1e12 // bit/s
	MaxQueue = 16384
	// DefaultQueue is what a Linux interface and netem have.
	DefaultQueue = 1000
)

// ErrOption is reported for a property that cannot be understood.
var ErrOption = errors.New("valid are delay=2ms, loss=0.01 (or 1%), rate=10Mbit, queue=100 (frames), both")

// Spec describes a link. The zero value is a perfect one.
type Spec struct {
	// Delay is how long a frame travels after its last bit was sent, 0 to MaxDelay.
	Delay time.Duration
	// Loss is the probability that a frame does not arrive, 0 to 1, each by itself.
	Loss float64
	// Rate is how fast the sender sends in bit/s, up to MaxRate. 0: at once.
	Rate uint64
	// Queue is how many frames the sender holds, the one being sent included, up to MaxQueue;
	// what comes when it is full is dropped. 0: DefaultQueue. Without a rate nothing waits.
	Queue int
	// Both makes the far end the same, where nothing else shapes what it sends.
	Both bool
}

// Perfect reports whether frames pass as if there were no link.
func (s Spec) Perfect() bool { return s.Instant() && s.Loss == 0 }

// Instant reports whether what is not lost arrives at once.
func (s Spec) Instant() bool { return s.Delay == 0 && s.Rate == 0 }

// Set adds one property in its text form, such as "delay=2ms". A property that is set already is
// an error.
func (s *Spec) Set(option string) error {
	name, value, _ := strings.Cut(option, "=")
	taken, err := false, error(nil)
	switch {
	case option == "both":
		taken, s.Both = s.Both, true
	case name == "delay":
		taken = s.Delay != 0
		s.Delay, err = parseDelay(value)
	case name == "loss":
		taken = s.Loss != 0
		s.Loss, err = parseLoss(value)
	case name == "rate":
		taken = s.Rate != 0
		s.Rate, err = parseRate(value)
	case name == "queue":
		taken = s.Queue != 0
		s.Queue, err = parseQueue(value)
	default:
		return fmt.Errorf("link property %q: %w", option, ErrOption)
	}
	if err == nil && taken {
		err = errors.New("is given twice")
	}
	if err != nil {
		return fmt.Errorf("link property %q: %w: %w", option, err, ErrOption)
	}
	return nil
}

func parseDelay(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > MaxDelay {
		return 0, fmt.Errorf("want a time from 0s to %v with a unit (us, ms, s)", MaxDelay)
	}
	return d, nil
}

func parseLoss(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	p, err := strconv.ParseFloat(number, 64)
	if percent {
		p /= 100
	}
	if err != nil || !(p >= 0 && p <= 1) { // also refuses what is no number
		return 0, errors.New("want a probability from 0 to 1, or a percentage")
	}
	return p, nil
}

// rateUnits are those of Linux traffic control, the largest first.
var rateUnits = []struct {
	name string
	bits uint64
}{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

func parseRate(text string) (uint64, error) {
	for _, u := range rateUnits {
		cut := len(text) - len(u.name)
		if cut < 0 || !strings.EqualFold(text[cut:], u.name) {
			continue
		}
		v, err := strconv.ParseFloat(text[:cut], 64)
		v = math.Round(v * float64(u.bits))
		if err != nil || !(v >= 1 && v <= MaxRate) {
			break
		}
		return uint64(v), nil
	}
	return 0, errors.New("want 1bit to 1000Gbit (units bit, kbit, Mbit, Gbit a second)")
}

func parseQueue(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxQueue {
		return 0, fmt.Errorf("want 1 to %d frames", MaxQueue)
	}
	return n, nil
}

// String returns the properties that are not zero, as Set takes them, separated by commas.
func (s Spec) String() string {
	var out []string
	if s.Delay != 0 {
		out = append(out, "delay="+s.Delay.String())
	}
	if s.Loss != 0 {
		out = append(out, "loss="+strconv.FormatFloat(s.Loss, 'g', -1, 64))
	}
	if s.Rate != 0 {
		out = append(out, "rate="+formatRate(s.Rate))
	}
	if s.Queue != 0 {
		out = append(out, "queue="+strconv.Itoa(s.Queue))
	}
	if s.Both {
		out = append(out, "both")
	}
	return strings.Join(out, ",")
}

func formatRate(rate uint64) string {
	for _, u := range rateUnits {
		if rate%u.bits == 0 {
			return strconv.FormatUint(rate/u.bits, 10) + u.name
		}
	}
	panic("link: the last unit divides every rate")
}
