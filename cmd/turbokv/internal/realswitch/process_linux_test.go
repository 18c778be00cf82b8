package realswitch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turbokv/turbokv/wire"
)

// Addresses within the namespace of switch and controller, and of the data network.
const (
	p4runtime  = "127.0.0.1:9559"
	adminPort  = 21590
	service    = "10.255.0.1"
	controller = "10.254.0.1:21580"
)

// patience bounds every wait; a good run waits a small part of it.
const patience = 20 * time.Second

// await tries until there is no error.
func await(t testing.TB, what string, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: not within %v: %v", what, patience, err)
}

// build compiles the program under test.
func build(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command to build the program")
	}
	path := filepath.Join(t.TempDir(), "turbokv")
	cmd := exec.Command("go", "build", "-o", path, "github.com/turbokv/turbokv/cmd/turbokv")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// process is one that runs until it is killed, at the latest when the test ends.
type process struct {
	cmd *exec.Cmd
	out bytes.Buffer // read after kill
}

// start runs a program in a network namespace. It dies with the test, however that ends.
func start(t testing.TB, space, name string, args ...string) *process {
	t.Helper()
	args = append([]string{"netns", "exec", space}, args...)
	p := &process{cmd: exec.Command("ip", args...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Dir = t.TempDir()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s says:\n%s", name, p.out.String())
		}
	})
	return p
}

// kill sends SIGKILL and waits; a second call does nothing.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only when it has ended
	_ = p.cmd.Wait()
}

// cluster is a running one.
type cluster struct {
	topology
	t          testing.TB
	binary     string
	store      string // file of the controller
	sw         switchCommand
	theSwitch  *process
	controller *process
	nodes      [nodes]*process
}

// startCluster starts all parts at once: none depends on the order.
func startCluster(t testing.TB, binary string, command switchCommand) *cluster {
	t.Helper()
	c := &cluster{
		topology: newTopology(t), t: t, binary: binary,
		store: filepath.Join(t.TempDir(), "controller.db"), sw: command,
	}
	c.startSwitch()
	for i := 1; i <= nodes; i++ {
		c.nodes[i-1] = start(t, c.node(i), fmt.Sprintf("node %d", i), binary, "node",
			"--addr", fmt.Sprintf("%v:%d", nodeAddr(i), wire.Port), "--network", "udp",
			"--port", strconv.Itoa(i), "--data-dir", t.TempDir(),
			"--controller", fmt.Sprintf("%v:%d", controlAddr(i), adminPort))
	}
	c.startController()
	return c
}

// startSwitch starts it, empty.
func (c *cluster) startSwitch() {
	c.t.Helper()
	c.theSwitch = start(c.t, c.core(), "switch", c.sw(c)...)
}

// startController starts it, or starts it again over what it knew.
func (c *cluster) startController() {
	c.t.Helper()
	c.controller = start(c.t, c.core(), "controller", c.binary, "controller",
		"--p4runtime", p4runtime, "--listen", fmt.Sprintf("0.0.0.0:%d", adminPort),
		"--store", c.store, "--expect-nodes", strconv.Itoa(nodes), "--service", service,
		"--addr", controller)
	await(c.t, "controller", c.ready)
}

// status is the part of `turbokv status -o json` that the test looks at.
type status struct {
	Switches  []struct{ State string }
	Nodes     []struct{ Online bool }
	SubRanges []struct {
		Keyspace, State string
		Chain           []string
		Reads, Writes   uint64
	} `json:"sub_ranges"`
}

func (c *cluster) status() (s status, err error) {
	text, err := c.operate("status", "-o", "json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(text), &s)
}

// ready tells why the controller does not have everything under control yet, if so.
func (c *cluster) ready() error {
	s, err := c.status()
	if err != nil {
		return err
	}
	online := 0
	for _, n := range s.Nodes {
		if n.Online {
			online++
		}
	}
	if len(s.Switches) != 1 || s.Switches[0].State != "synced" || online != nodes {
		return fmt.Errorf("%+v", s)
	}
	return nil
}

// operate runs a command for operators beside the controller.
func (c *cluster) operate(command string, args ...string) (string, error) {
	admin := []string{command, "--admin", fmt.Sprintf("127.0.0.1:%d", adminPort)}
	return c.command(c.core(), append(admin, args...))
}

// use runs a command for clients; all of them have one address.
func (c *cluster) use(command string, args ...string) (string, error) {
	flags := []string{
		command, "--service", fmt.Sprintf("%s:%d", service, wire.Port), "--network", "udp",
		"--local", fmt.Sprintf("%v:0", clientAddr),
	}
	return c.command(c.client(), append(flags, args...))
}

// command runs the program in a namespace and returns its standard output.
func (c *cluster) command(space string, args []string) (string, error) {
	cmd := exec.Command("ip", append([]string{"netns", "exec", space, c.binary}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("turbokv %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}
