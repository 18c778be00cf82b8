package stf

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// parseMeterRates reads: name [index] rate:burst rate:burst, the committed rate first.
func parseMeterRates(all bool) func(string) (Command, error) {
	return func(rest string) (Command, error) {
		fields := strings.Fields(rest)
		s := SetMeter{Index: -1}
		if len(fields) > 0 {
			s.Meter, fields = unquote(fields[0]), fields[1:]
		}
		if !all && len(fields) > 0 {
			i, err := strconv.ParseUint(fields[0], 0, 31)
			if err != nil {
				return nil, fmt.Errorf("index %q: want a number", fields[0])
			}
			s.Index, fields = int(i), fields[1:]
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%d rates: want rate:burst twice, committed and peak", len(fields))
		}
		for i, rate := range []*int64{&s.Config.CIR, &s.Config.PIR} {
			burst := []*int64{&s.Config.CBurst, &s.Config.PBurst}[i]
			if err := meterRate(fields[i], rate, burst); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
}

// meterRate parses a rate per microsecond, which may be a fraction, and a burst.
func meterRate(text string, rate, burst *int64) error {
	const maxRate = 1 << 40 // per microsecond, far beyond any switch
	perMicro, size, ok := strings.Cut(text, ":")
	r, err := strconv.ParseFloat(perMicro, 64)
	if !ok || err != nil || !(r >= 0 && r <= maxRate) {
		return fmt.Errorf("rate %q: want units per microsecond, a colon, and a burst", text)
	}
	*rate = int64(r*1e6 + 0.5)
	if *burst, err = strconv.ParseInt(size, 0, 64); err != nil {
		return fmt.Errorf("burst %q: want a number", size)
	}
	return nil
}

// setMeter configures one cell of a meter array, or all.
func (r *run) setMeter(c SetMeter) error {
	var meters []*bmv2.Meter
	var names []string
	for _, m := range r.sw.Program().Meters {
		if !m.Direct {
			meters, names = append(meters, m), append(names, m.Name)
		}
	}
	k, err := pick("meter", c.Meter, names)
	if err != nil {
		return err
	}
	first, end := c.Index, c.Index+1
	if c.Index < 0 {
		first, end = 0, meters[k].Size
	}
	for i := first; i < end; i++ {
		cell := &v1model.MeterCell{Meter: names[k], Index: i, Config: &c.Config}
		if err := r.write(v1model.OpModify, cell); err != nil {
			return err
		}
	}
	return nil
}
