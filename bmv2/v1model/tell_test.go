package v1model_test

import (
	"os"
	"strings"
	"testing"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// A parser may call log_msg, too. A packet that is looked at, whether anybody follows it or not, says
// what it says once.
func TestFollowedPacketsLogOnce(t *testing.T) {
	data, err := os.ReadFile("../testdata/copies.json")
	if err != nil {
		t.Fatal(err)
	}
	const ops = `"parser_ops" : [`
	text := strings.Replace(string(data), ops, ops+`{"op": "primitive", "parameters": [{"op": "log_msg",
		"parameters": [{"type": "string", "value": "arrived"}, {"type": "parameters_vector", "value": []}]}]},`, 1)
	program, err := bmv2.Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	sw, err := v1model.NewSwitch(program, v1model.Config{OnLog: func(s string) { said = append(said, s) }})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	stop, err := sw.Watch(v1model.Filter{Ports: []uint16{1}}, func(x *v1model.Trace) {
		told++
		if s := x.Passes[0].Steps[0]; s.Control != "parser" || s.Log != "arrived" {
			t.Errorf("the first step is %+v", s)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, port := range []uint16{1, 2} { // port 2 is not followed
		sw.NewWorker().Process(port, []byte{0, 0, 0, 0}, func(uint16, []byte) {})
	}
	if len(said) != 2 || told != 1 {
		t.Errorf("said %q, %d packets were told of, want 2 and 1", said, told)
	}
}
