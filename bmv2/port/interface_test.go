package port

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// fakeLinks is one interface as the test wants it.
type fakeLinks struct {
	now  linkState
	tell func(linkState)
}

func (f *fakeLinks) watch(_ string, tell func(linkState)) (linkState, func()) {
	f.tell = tell
	return f.now, func() { f.tell = func(linkState) {} }
}

// fakeInterface opens as one end of an in-memory cable.
type fakeInterface struct {
	*Mem
	queues int
}

func (f fakeInterface) Queues() int { return f.queues }

func (f fakeInterface) ReadQueue(_ int, bufs [][]byte) (int, error) { return f.ReadBatch(bufs) }

// fakeSystem makes a new cable each time that the interface is opened.
type fakeSystem struct {
	fakeLinks
	cable  *Mem
	opens  int
	queues int
	fail   error
	ended  int
}

func (f *fakeSystem) open() (*opened, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	f.opens++
	inner, outer := NewPair(8)
	f.cable = outer
	return &opened{lower: fakeInterface{inner, max(1, f.queues)}, io: IORing,
		fits: func(mtu int) bool { return mtu <= 1500 }}, nil
}

func (f *fakeSystem) start(t *testing.T, cfg InterfaceConfig) *Interface {
	t.Helper()
	cfg.Name = "fake0"
	i, err := newInterface(cfg, f, f.open, func() error { f.ended++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestInterfaceGoesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeSystem{fakeLinks: fakeLinks{now: linkState{index: 1, up: true, mtu: 1500}}}
		i := f.start(t, InterfaceConfig{})
		var states []State
		if now := i.Notify(func(s State) { states = append(states, s) }); now != Up {
			t.Errorf("at first %v", now)
		}
		var got [][]byte
		var reader sync.WaitGroup
		reader.Go(func() {
			for bufs := buffers(4); ; {
				n, err := i.ReadBatch(bufs)
				if err != nil {
					if !errors.Is(err, net.ErrClosed) {
						t.Error(err)
					}
					return
				}
				for _, b := range bufs[:n] {
					got = append(got, slices.Clone(b))
				}
			}
		})
		frames := numbered(4, 60)
		f.cable.WriteBatch(frames[:1])
		synctest.Wait()
		f.tell(linkState{index: 1, mtu: 1500})
		f.tell(linkState{})
		if n, err := i.WriteBatch(frames); n != 0 || err != nil || i.Counters().TxDrops != 4 {
			t.Errorf("WriteBatch = %d, %v, counters %+v", n, err, i.Counters())
		}
		f.tell(linkState{index: 7, up: true, mtu: 1500})
		f.cable.WriteBatch(frames[1:3])
		synctest.Wait()
		f.tell(linkState{index: 8, up: true, mtu: 1500}) // another one, and nobody has seen the gap
		f.cable.WriteBatch(frames[3:])
		synctest.Wait()
		sameFrames(t, "received", got, frames)
		if n, err := i.WriteBatch(frames[:2]); n != 2 || err != nil {
			t.Errorf("WriteBatch = %d, %v", n, err)
		}
		if want := []State{Down, Absent, Up}; !slices.Equal(states, want) {
			t.Errorf("told %v, want %v", states, want)
		}
		if c := i.Counters(); c.TxDrops != 4 || f.opens != 3 {
			t.Errorf("counters %+v, opened %d times", c, f.opens)
		}
		if err := errors.Join(i.Close(), i.Close()); err != nil || f.ended != 1 {
			t.Errorf("Close: %v, ended %d times", err, f.ended)
		}
		reader.Wait()
		if _, err := i.WriteBatch(frames); !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteBatch after Close: %v", err)
		}
	})
}

func TestInterfaceThatIsAbsentAtFirst(t *testing.T) {
	f := fakeSystem{}
	if _, err := newInterface(InterfaceConfig{Name: "fake0"}, &f, f.open,
		func() error { f.ended++; return nil }); !errors.Is(err, errAbsent) || f.ended != 1 {
		t.Errorf("error %v, ended %d times", err, f.ended)
	}
	i := f.start(t, InterfaceConfig{Wait: true})
	defer i.Close()
	if info := i.Info(); info.State != Absent || !errors.Is(info.Problem, errAbsent) || info.IO != IOAuto {
		t.Errorf("info %+v", info)
	}
	f.fail = errors.New("no right")
	f.tell(linkState{index: 1, mtu: 1500})
	if info := i.Info(); info.State != Absent || !errors.Is(info.Problem, f.fail) {
		t.Errorf("info %+v", info)
	}
	f.fail, f.queues = nil, 3
	f.tell(linkState{index: 1, mtu: 1501})
	if info := i.Info(); info.State != Absent || info.Problem == nil {
		t.Errorf("more queues than readers: info %+v", info)
	}
	f.queues = 1
	f.tell(linkState{index: 1, mtu: 1500})
	if info := i.Info(); info.State != Down || info.Problem != nil || info.IO != IORing {
		t.Errorf("info %+v", info)
	}
	f.fail = errors.New("no right")
	if _, err := newInterface(InterfaceConfig{Name: "fake0", Wait: true}, &fakeSystem{
		fakeLinks: fakeLinks{now: linkState{index: 1}}, fail: f.fail}, f.open,
		func() error { return nil }); !errors.Is(err, f.fail) {
		t.Errorf("an interface that is there, but cannot be opened: error %v", err)
	}
}

// TestInterfaceFitsItsMTU opens an interface again when its frames may become longer than its memory
// was made for.
func TestInterfaceFitsItsMTU(t *testing.T) {
	f := fakeSystem{fakeLinks: fakeLinks{now: linkState{index: 1, up: true, mtu: 1400}}}
	i := f.start(t, InterfaceConfig{})
	defer i.Close()
	for mtu, want := range map[int]int{1500: 1, 2000: 2} {
		f.opens = 1
		f.tell(linkState{index: 1, up: true, mtu: mtu})
		if f.opens != want || i.Info().State != Up {
			t.Errorf("MTU %d: opened %d times, info %+v", mtu, f.opens, i.Info())
		}
	}
}
