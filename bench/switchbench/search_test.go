package main

import (
	"errors"
	"testing"
)

func TestSearchFindsTheLimit(t *testing.T) {
	for _, limit := range []float64{40_000, 123_456, 999_000} {
		got, err := search(1e6, 8, func(rate float64) (float64, bool, error) {
			return rate, rate <= limit, nil
		})
		if err != nil || got > limit || got < 0.98*limit {
			t.Errorf("found %.0f for %.0f: %v", got, limit, err)
		}
	}
}

func TestSearchForgivesOneFailure(t *testing.T) {
	trials := 0
	got, err := search(1e6, 8, func(rate float64) (float64, bool, error) {
		trials++
		return rate, trials%2 == 0, nil
	})
	if err != nil || got < 0.98e6 || trials != 16 {
		t.Errorf("found %.0f with %d trials: %v", got, trials, err)
	}
}

func TestSearchFindsNothing(t *testing.T) {
	got, err := search(1e6, 8, func(rate float64) (float64, bool, error) { return rate, false, nil })
	if got != 0 || err != nil {
		t.Errorf("found %f, %v", got, err)
	}
	broken := errors.New("interface is gone")
	if _, err := search(1, 8, func(float64) (float64, bool, error) { return 0, false, broken }); err != broken {
		t.Errorf("ended with %v", err)
	}
}
