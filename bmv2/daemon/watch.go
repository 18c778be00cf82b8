package daemon

import (
	"slices"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// follower is somebody who follows packets, over changes of the pipeline.
type follower struct {
	filter v1model.Filter
	done   func(*v1model.Trace)
	ended  func(error)
	on     *v1model.Switch // nil: there is no pipeline yet
	stop   func()
}

// Watch has done told the trace of every received frame that meets the filter, see
// [v1model.Switch.Watch], until stop is called. When a new pipeline does not have what the filter
// names, ended is called with the reason and nothing more comes. Neither function may wait.
func (d *Daemon) Watch(
	filter v1model.Filter, done func(*v1model.Trace), ended func(error),
) (stop func(), err error) {
	f := &follower{filter: filter, done: done, ended: ended, stop: func() {}}
	d.mu.Lock()
	defer d.mu.Unlock()
	if sw := d.sw.Load(); sw != nil {
		if err := f.follow(sw); err != nil {
			return nil, err
		}
	}
	d.followers = append(d.followers, f)
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		f.stop()
		d.followers = slices.DeleteFunc(d.followers, func(x *follower) bool { return x == f })
	}, nil
}

// follow turns to a pipeline.
func (f *follower) follow(sw *v1model.Switch) error {
	stop, err := sw.Watch(f.filter, f.done)
	if err != nil {
		return err
	}
	f.stop, f.on = stop, sw
	return nil
}

// refollow moves all followers to a new pipeline; d.mu is held.
func (d *Daemon) refollow(sw *v1model.Switch) {
	d.followers = slices.DeleteFunc(d.followers, func(f *follower) bool {
		if f.on == sw {
			return false
		}
		f.stop()
		f.stop = func() {}
		err := f.follow(sw)
		if err != nil {
			f.ended(err)
		}
		return err != nil
	})
}
