package daemon

import (
	"strings"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// TestWatchLastsOverPipelines begins before there is a pipeline and ends with one that does not have
// the field.
func TestWatchLastsOverPipelines(t *testing.T) {
	r := newRig(t, Config{}, 1, 2)
	bare, err := New(Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	traces, reason := make(chan *v1model.Trace, 10), make(chan error, 1)
	filter := v1model.Filter{Fields: []v1model.FieldFilter{{Name: "ethernet.dst", Value: []byte{2}, Prefix: -1}}}
	watch := func(d *Daemon) (stop func()) {
		stop, err := d.Watch(filter, func(x *v1model.Trace) { traces <- x }, func(err error) { reason <- err })
		if err != nil {
			t.Fatal(err)
		}
		return stop
	}
	stop := watch(r.daemon)
	send := func() {
		r.forward(2, "ingress.forward", 2)
		r.send(1, [][]byte{frame(3, 60), frame(2, 60)})
		r.receive(2, 1)
		if x := <-traces; x.Port != 1 || x.Passes[0].Out == nil || x.Passes[0].Out.Port != 2 ||
			x.Passes[0].Out.NoPort {
			t.Errorf("trace %+v", x.Passes[0])
		}
	}
	send()
	if err := r.daemon.Server().SetPipeline(r.config); err != nil {
		t.Fatal(err)
	}
	send()
	if err := r.daemon.RemovePort(2); err != nil {
		t.Fatal(err)
	}
	r.send(1, [][]byte{frame(2, 60)})
	if x := <-traces; x.Passes[0].Out == nil || !x.Passes[0].Out.NoPort {
		t.Errorf("without the port: %+v", x.Passes[0])
	}
	stop()
	if r.daemon.sw.Load() == nil || len(r.daemon.followers) != 0 {
		t.Error("a follower is left after stop")
	}
	defer watch(bare)()
	other := &p4v1.ForwardingPipelineConfig{P4Info: r.config.GetP4Info(),
		P4DeviceConfig: []byte(strings.ReplaceAll(string(r.config.GetP4DeviceConfig()), `"ethernet"`, `"frame"`))}
	if err := bare.Server().SetPipeline(other); err != nil {
		t.Fatal(err)
	}
	if err := <-reason; !strings.Contains(err.Error(), "the headers are") {
		t.Errorf("ended with %v", err)
	}
}
