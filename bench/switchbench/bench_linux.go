package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"

	"github.com/turbokv/turbokv/bench/switchbench/generator"
	"github.com/turbokv/turbokv/bench/switchbench/scenario"
)

// bench is a contender at work, between two cables to the generator.
type bench struct {
	place  *place
	cmd    *exec.Cmd
	log    bytes.Buffer
	ended  chan struct{} // closed when the process is gone
	source *generator.Generator
	line   *line // what was measured
}

// Names of the interfaces: of the generator, numbered by contender, and of a contender.
const (
	outName, inName       = "out%d", "in%d"
	firstName, secondName = "port1", "port2"
)

// startBench builds the cables, starts the contender and puts the scenario into it.
func (p *plan) startBench(
	ctx context.Context, c contender, i int, s *scenario.Scenario, home *place,
) (b *bench, err error) {
	b = &bench{ended: make(chan struct{})}
	if b.place, err = newPlace(p.switchCPUs...); err != nil {
		return nil, err
	}
	out, in := fmt.Sprintf(outName, i), fmt.Sprintf(inName, i)
	err = errors.Join(cable(home, out, b.place, firstName), cable(home, in, b.place, secondName))
	if err == nil {
		err = b.place.do(func() error { return b.start(c) })
	}
	if err == nil && c.programmed {
		err = program(ctx, s, b.dial)
	}
	if err == nil {
		err = home.do(func() error { return b.connect(out, in, s) })
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", c.name, errors.Join(err, b.stop()), b.log.Bytes())
	}
	return b, nil
}

// start starts the process on the thread of the place, with which it ends.
func (b *bench) start(c contender) error {
	b.cmd = c.command(firstName, secondName)
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		b.cmd = nil
		return err
	}
	go func() {
		_ = b.cmd.Wait() // how it ended is told by what it wrote
		close(b.ended)
	}()
	return nil
}

// dial connects to the process.
func (b *bench) dial() (conn net.Conn, err error) {
	err = b.place.do(func() error {
		conn, err = net.DialTimeout("tcp", p4runtime, time.Second)
		return err
	})
	return conn, err
}

// connect opens the generator and has every frame pass once.
func (b *bench) connect(out, in string, s *scenario.Scenario) (err error) {
	if b.source, err = generator.Open(out, in); err != nil {
		return err
	}
	b.source.Load(s.Frames)
	for try := 0; ; try++ { // a process without P4Runtime does not tell when it is ready
		if err = b.source.Check(); err == nil || try == 5 || !b.alive() {
			return err
		}
	}
}

func (b *bench) alive() bool {
	select {
	case <-b.ended:
		return false
	default:
		return true
	}
}

// stopTime is how long a process may take to end before it is killed.
const stopTime = 3 * time.Second

func (b *bench) stop() (err error) {
	if b.cmd != nil {
		_ = b.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-b.ended:
		case <-time.After(stopTime):
			_ = b.cmd.Process.Kill()
			<-b.ended
		}
	}
	if b.source != nil {
		err = b.source.Close()
	}
	b.place.close()
	return err
}
