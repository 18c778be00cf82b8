package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/turbokv/turbokv/bench/switchbench/scenario"
	"github.com/turbokv/turbokv/bmv2/port"
	"github.com/turbokv/turbokv/controller/p4rt"
	"github.com/turbokv/turbokv/controller/reconcile/tables"
)

// Names of contenders. A way of moving frames may follow the name after a slash.
const (
	builtin      = "turbokv"
	simpleSwitch = "simple_switch_grpc"
	reflector    = "reflector"
)

var defaultContenders = []string{builtin, builtin + "/xdp", simpleSwitch, reflector, reflector + "/ring"}

const contenderHelp = builtin + ", " + simpleSwitch + " and " + reflector + "; the first and the last also with " +
	"/socket, /ring or /xdp, ways in which the built-in switch moves frames"

// contender is somebody who passes frames from its first port to its second.
type contender struct {
	name       string
	words      []string // the command; %1 and %2 stand for the interfaces
	programmed bool     // over P4Runtime
}

func (p *plan) newContender(name string) (contender, error) {
	kind, way, ways := strings.Cut(name, "/")
	c := contender{name: name, programmed: kind != reflector}
	if _, err := port.ParseIO(way); ways && (err != nil || kind == simpleSwitch) {
		return c, fmt.Errorf("-contenders %q: there are %s", name, contenderHelp)
	}
	switch kind {
	case builtin:
		option := ""
		if ways {
			option = ",io=" + way
		}
		c.words = []string{p.binary, "switch", "-i", "1@%1" + option, "-i", "2@%2" + option,
			"--grpc-addr", p4runtime}
	case simpleSwitch:
		c.words = []string{simpleSwitch, "--no-p4", "--device-id", "1", "-i", "1@%1", "-i", "2@%2",
			"--", "--grpc-server-addr", p4runtime, "--cpu-port", "510"}
	case reflector:
		self, err := os.Executable()
		if err != nil {
			return c, err
		}
		c.words = []string{self, reflectWord, "%1", "%2", way}
	default:
		return c, fmt.Errorf("-contenders %q: there are %s", name, contenderHelp)
	}
	return c, nil
}

// p4runtime is where a switch serves, each in a namespace of its own.
const p4runtime = "127.0.0.1:9559"

// command returns what to start.
func (c contender) command(first, second string) *exec.Cmd {
	words := make([]string, len(c.words))
	for i, w := range c.words {
		words[i] = strings.NewReplacer("%1", first, "%2", second).Replace(w)
	}
	return exec.Command(words[0], words[1:]...)
}

// Limits of programming a switch.
const (
	writeBatch  = 500 // entries in one request
	programTime = 60 * time.Second
)

// program puts a scenario into a switch that serves P4Runtime at the other end of dial.
func program(ctx context.Context, s *scenario.Scenario, dial func() (net.Conn, error)) error {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	var last error
	client, err := p4rt.New(p4rt.Config{
		Target: "passthrough:///switch", DeviceID: 1, ElectionID: p4rt.ElectionID{Low: 1},
		Pipeline: s.Pipeline, Events: p4rt.Events{Disconnected: func(err error) { last = err }},
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return dial() }),
		},
	})
	if err != nil {
		return err
	}
	err = client.Run(ctx, func(ctx context.Context, session *p4rt.Session) error {
		last = write(ctx, session, s.Entries)
		return nil
	})
	if err == nil {
		err = last
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

func write(ctx context.Context, session *p4rt.Session, entries []tables.Entry) error {
	for len(entries) > 0 {
		var updates []tables.Update
		for _, e := range entries[:min(len(entries), writeBatch)] {
			updates = append(updates, tables.Update{Op: tables.Insert, Entry: &e})
		}
		entries = entries[len(updates):]
		if err := session.Write(ctx, updates); err != nil {
			return err
		}
	}
	return nil
}
