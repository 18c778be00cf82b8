package realswitch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const simpleSwitch = "simple_switch_grpc"

// switchCommand is the command line of a switch with all ports of the topology.
type switchCommand func(c *cluster) []string

func builtIn(c *cluster) []string {
	return append([]string{c.binary, "switch", "--grpc-addr", p4runtime}, interfaces()...)
}

// simple needs the CPU port, over which the controller publishes keyspaces.
func simple(*cluster) []string {
	args := append([]string{simpleSwitch, "--no-p4", "--device-id", "1"}, interfaces()...)
	return append(args, "--", "--cpu-port", "510", "--grpc-server-addr", p4runtime)
}

func interfaces() (args []string) {
	for number := 1; number <= clientPort; number++ {
		args = append(args, "-i", fmt.Sprintf("%d@%s", number, portName(number)))
	}
	return args
}

func TestServesThroughBuiltInSwitch(t *testing.T) {
	requireNamespaces(t)
	testServes(t, builtIn)
}

func TestServesThroughSimpleSwitch(t *testing.T) {
	requireNamespaces(t)
	requireSimpleSwitch(t)
	testServes(t, simple)
}

func requireSimpleSwitch(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath(simpleSwitch); err != nil {
		t.Skipf("needs %s on PATH; the built-in switch has a test of its own", simpleSwitch)
	}
}

// testServes is the life of a cluster, by the command line.
func testServes(t *testing.T, command switchCommand) {
	c := startCluster(t, build(t), command)
	c.operates("keyspace", "create", "fruit", "--cut", "g", "--cut", "n", "--cut", "t")
	c.testRecords()
	c.testScan()
	c.testAlone()
	c.testRestart()
	c.testSwitchRestart()
	c.testNodeDies()
}

// operates runs a command for operators that must succeed.
func (c *cluster) operates(command string, args ...string) string {
	c.t.Helper()
	out, err := c.operate(command, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// uses runs a command for clients that must succeed.
func (c *cluster) uses(command, keyspace string, args ...string) string {
	c.t.Helper()
	out, err := c.use(command, append([]string{"-k", keyspace}, args...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// prints runs a command for clients that must print want.
func (c *cluster) prints(want, command, keyspace string, args ...string) {
	c.t.Helper()
	if got := c.uses(command, keyspace, args...); got != want {
		c.t.Errorf("%s %s %v printed %q, not %q", command, keyspace, args, got, want)
	}
}

// refuses runs a command for clients that must end with an exit code.
func (c *cluster) refuses(code int, command, keyspace string, args ...string) {
	c.t.Helper()
	_, err := c.use(command, append([]string{"-k", keyspace}, args...)...)
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != code {
		c.t.Errorf("%s %s %v: %v, not exit code %d", command, keyspace, args, err, code)
	}
}

// testRecords reads in the first sub-range only, and writes in all.
func (c *cluster) testRecords() {
	c.t.Helper()
	for _, key := range []string{"apple", "kiwi", "peach", "zucchini"} {
		c.uses("put", "fruit", key, "a "+key)
	}
	c.prints("a apple\n", "get", "fruit", "apple")
	c.refuses(3, "get", "fruit", "absent")
	c.prints("5\n", "incr", "fruit", "count", "5")
	c.prints("7\n", "incr", "fruit", "count", "2")
	c.testSwap()
}

// testSwap replaces a record once by compare and swap.
func (c *cluster) testSwap() {
	c.t.Helper()
	var record struct{ Version uint64 }
	text := c.uses("get", "fruit", "apple", "-o", "json")
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		c.t.Fatal(err)
	}
	version := fmt.Sprint(record.Version)
	c.uses("cas", "fruit", "apple", version, "two apples")
	c.refuses(4, "cas", "fruit", "apple", version, "three apples")
	c.prints("two apples\n", "get", "fruit", "apple")
}

// testScan crosses all three cuts. Then the switch's counters must tell of reads in every
// sub-range, and all but the first can have them from the scan only.
func (c *cluster) testScan() {
	c.t.Helper()
	want := "kiwi\ta kiwi\npeach\ta peach\nzucchini\ta zucchini\n"
	c.prints("apple\ttwo apples\n"+"count\t\x00\x00\x00\x00\x00\x00\x00\x07\n"+want,
		"scan", "fruit", "a", "zz")
	c.prints("kiwi\npeach\n", "scan", "fruit", "h", "t", "--keys")
	await(c.t, "counters", func() error {
		s, err := c.status()
		if err != nil {
			return err
		}
		return readEverywhere(s)
	})
}

func readEverywhere(s status) error {
	found := 0
	for _, r := range s.SubRanges {
		if r.Keyspace == "fruit" && r.State == "serving" && r.Reads > 0 && r.Writes > 0 {
			found++
		}
	}
	if found != 4 {
		return fmt.Errorf("%d of 4 sub-ranges were read and written: %+v", found, s.SubRanges)
	}
	return nil
}

// testAlone kills the controller: the rest goes on serving.
func (c *cluster) testAlone() {
	c.t.Helper()
	c.controller.kill()
	c.uses("put", "fruit", "fig", "alone")
	c.prints("alone\n", "get", "fruit", "fig")
	c.prints("two apples\n", "get", "fruit", "apple")
	c.prints("kiwi\npeach\n", "scan", "fruit", "h", "t", "--keys")
	if _, err := c.operate("status"); err == nil {
		c.t.Error("somebody answers in the place of the controller")
	}
}

// testRestart starts the controller again: it finds what it knew and can do more.
func (c *cluster) testRestart() {
	c.t.Helper()
	c.startController()
	if list := c.operates("keyspace", "list"); !strings.Contains(list, "fruit") {
		c.t.Errorf("the restarted controller does not know its keyspace:\n%s", list)
	}
	c.operates("keyspace", "create", "nuts", "--partitioner", "hash", "--durability", "sync")
	c.uses("put", "nuts", "hazel", "brown")
	c.prints("brown\n", "get", "nuts", "hazel")
	c.prints("alone\n", "get", "fruit", "fig")
}

// testSwitchRestart kills the switch and starts an empty one: the controller brings it back, and
// nobody has to do anything.
func (c *cluster) testSwitchRestart() {
	c.t.Helper()
	c.theSwitch.kill()
	c.startSwitch()
	await(c.t, "the new switch serves", func() error {
		out, err := c.use("get", "-k", "fruit", "fig")
		if err == nil && out != "alone\n" {
			err = fmt.Errorf("printed %q", out)
		}
		return err
	})
	await(c.t, "the new switch holds everything", c.ready)
	c.uses("put", "fruit", "melon", "after the restart")
	c.prints("kiwi\nmelon\npeach\n", "scan", "fruit", "h", "t", "--keys")
}

// testNodeDies kills a node: the others take over what it held.
func (c *cluster) testNodeDies() {
	c.t.Helper()
	c.nodes[0].kill()
	await(c.t, "the chains do without the dead node, and are complete", func() error {
		s, err := c.status()
		if err != nil {
			return err
		}
		for _, r := range s.SubRanges {
			if len(r.Chain) != 3 || slices.Contains(r.Chain, nodeAddr(1).String()) {
				return fmt.Errorf("%+v", r)
			}
		}
		return nil
	})
	c.prints("alone\n", "get", "fruit", "fig")
	c.prints("two apples\n", "get", "fruit", "apple")
	c.prints("brown\n", "get", "nuts", "hazel")
	c.prints("10\n", "incr", "fruit", "count", "3")
	c.prints("kiwi\nmelon\npeach\n", "scan", "fruit", "h", "t", "--keys")
}
