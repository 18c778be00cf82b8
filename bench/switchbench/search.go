package main

import "math"

// bearable is the share of frames that may be lost at the highest rate.
const bearable = 0.001

// octaves are how far below the highest rate a search looks.
const octaves = 5

// search returns the highest rate up to high at which a trial passes, 0 if none was found. It halves
// the interval of ratios a number of times: 7 steps find the rate within 3 %. A rate that fails is
// tried once more, because on a machine with other work a single trial may lose its processor. A trial
// tells the rate that it achieved.
func search(
	high float64, steps int, trial func(rate float64) (achieved float64, ok bool, err error),
) (best float64, err error) {
	for low := high / (1 << octaves); steps > 0; steps-- {
		middle := math.Sqrt(low * high)
		achieved, ok, err := trial(middle)
		if err == nil && !ok {
			achieved, ok, err = trial(middle)
		}
		if err != nil {
			return 0, err
		}
		if ok {
			low, best = middle, max(best, achieved)
		} else {
			high = middle
		}
	}
	return best, nil
}
