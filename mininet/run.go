package mininet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Config is how to run the program.
type Config struct {
	Python  string // see Interpreter
	Program string // see Extract
	Plan    string // path of the file with the plan
	Dir     string // of the run, absolute: see Sweep
	// Tool is the command line of `turbokv net`, to which the prompt adds its own commands.
	Tool []string
	// Verbs are the commands of `turbokv net`, which the prompt has unless Mininet has one of that name.
	Verbs []string
	// Lines are lines of the prompt to run instead of asking for them, with ';' between; nil: none.
	Lines *string
	// NoPrompt neither asks nor runs lines, but waits until it is stopped.
	NoPrompt bool
	Env      []string  // in addition to that of this process
	In       io.Reader // the keyboard, for the prompt
	Out, Err io.Writer
}

// Report tells what the program has built.
type Report struct {
	Namespaces map[string]string `json:"namespaces"` // paths by place
	Processes  map[string]int    `json:"processes"`  // process ids by name
}

// Program is the running program.
type Program struct {
	cmd     *exec.Cmd
	reports *os.File // what it says
	orders  *os.File // what it is told; its end asks it to stop
	done    chan struct{}
	err     error // how it ended; read after done
}

// Start starts the program. When this process ends, so does the program, and all that it has built.
func Start(c Config) (*Program, error) {
	p := &Program{done: make(chan struct{})}
	reports, said, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	told, orders, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, reports.Close(), said.Close())
	}
	p.reports, p.orders = reports, orders
	p.cmd = c.command(said, told)
	err = errors.Join(p.cmd.Start(), said.Close(), told.Close())
	if err != nil {
		return nil, errors.Join(err, reports.Close(), orders.Close())
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// command is the command line, with the program's ends of both pipes.
func (c Config) command(said, told *os.File) *exec.Cmd {
	args := []string{"-B", c.Program, c.Plan, "--reports=3", "--orders=4"}
	for _, word := range c.Tool {
		args = append(args, "--tool="+word)
	}
	for _, word := range c.Verbs {
		args = append(args, "--verb="+word)
	}
	if c.Lines != nil {
		args = append(args, "--exec="+*c.Lines)
	}
	if c.NoPrompt {
		args = append(args, "--no-prompt")
	}
	cmd := exec.Command(c.Python, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.In, c.Out, c.Err
	cmd.ExtraFiles = []*os.File{said, told}
	cmd.Env = slices.Concat(os.Environ(), c.Env, []string{Environ(c.Dir)})
	return cmd
}

// Report waits until the network is built and its processes are started. The error is io.EOF if the
// program has ended before; it has said why.
func (p *Program) Report() (r Report, err error) {
	text, err := io.ReadAll(p.reports)
	switch {
	case err != nil:
		return r, fmt.Errorf("mininet: %w", err)
	case len(text) == 0:
		return r, io.EOF
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("mininet: report: %w", err)
	}
	return r, nil
}

// Ready tells the program that all is ready, so that it goes on with the prompt.
func (p *Program) Ready() error {
	_, err := io.WriteString(p.orders, "ready\n")
	return err
}

// Done is closed when the program has ended.
func (p *Program) Done() <-chan struct{} { return p.done }

// Err tells how the program has ended, once Done is closed.
func (p *Program) Err() error { return p.err }

// Interrupt asks the program to stop.
func (p *Program) Interrupt() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
}

// Stop asks the program to stop, kills it if it takes longer than the timeout, and waits.
func (p *Program) Stop(timeout time.Duration) {
	p.Interrupt()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill() // the same
		<-p.done
	}
	_, _ = p.reports.Close(), p.orders.Close() // nobody listens any more
}
