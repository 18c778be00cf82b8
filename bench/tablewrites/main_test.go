package main

import (
	"strings"
	"testing"
)

// Every kind of table is filled, changed and emptied; the switch refuses none of the updates.
func TestEveryTableIsMeasured(t *testing.T) {
	var out, errs strings.Builder
	args := strings.Fields("-entries 300 -batch 100 -packets 1000 -quiet 10ms")
	if err := run(t.Context(), args, &out, &errs); err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	for _, kind := range kindNames {
		for _, row := range []string{"INSERT", "MODIFY", "DELETE"} {
			if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), kind+" "+row) {
				t.Errorf("no row %s %s in\n%s", kind, row, &out)
			}
		}
	}
}

func TestPlansThatMakeNoSenseAreRefused(t *testing.T) {
	for _, args := range []string{"-entries 0", "-entries 2000000", "-batch 0", "-in-flight 0",
		"-kinds trie", "-clock none"} {
		var out, errs strings.Builder
		if run(t.Context(), strings.Fields(args+" -quiet 1ms"), &out, &errs) == nil {
			t.Errorf("%s is accepted", args)
		}
	}
}
