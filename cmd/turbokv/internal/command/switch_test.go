package command

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// switchFiles returns a folder with a program for the built-in switch, basic.p4, and what is wrong
// with others: other.txtpb names a table that basic.json does not have, unknown.json calls what no
// v1model has.
func switchFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	texts := map[string]string{}
	for _, name := range []string{"basic.p4", "basic.json", "basic.p4info.txtpb"} {
		texts[name] = read(t, "bmv2", "p4rt", "testdata", name)
		write(name, texts[name])
	}
	for _, name := range []string{"tables.json", "tables.stf", "parsing.json", "parsing.stf"} {
		write(name, read(t, "bmv2", "testdata", name))
	}
	const packet = "packet 0 00 1000 0002 00000000000000000000000000000000\n"
	const entry = "add exact_table nibble:1 small:2 send(port:3)\n"
	write("wrong.stf", entry+packet+"expect 3 00 1000 0003\nexpect 4\n")
	write("broken.stf", "teleport 3\n")
	write("other.txtpb", strings.ReplaceAll(texts["basic.p4info.txtpb"], "forward_table", "sideways"))
	write("unknown.json", strings.ReplaceAll(texts["basic.json"], `"mark_to_drop"`, `"teleport"`))
	return dir
}

// refusal runs a command that must be refused and returns what it says.
func refusal(t *testing.T, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	s := Streams{In: strings.NewReader(""), Out: io.Discard, Err: &said}
	if code := Run(t.Context(), args, s); code == exitOK {
		t.Errorf("%q: exit code 0", args)
	}
	return said.String()
}

// What a newcomer gets wrong is answered with what is right; these depend on the machine, see
// testdata/offline/switch.txt for the others.
func TestSwitchSaysWhatIsWrong(t *testing.T) {
	t.Chdir(switchFiles(t))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ args, want string }{
		{"-i 1@nowhere-9", `there is no network interface "nowhere-9" here; there are `},
		{"unknown.json", `action "ingress.drop": primitive "teleport"`},
		{"basic.json --trace - --trace-where nope.x=1", `field "nope.x": unknown name: want HEADER.FIELD, the headers are`},
		{"basic.json --p4info basic.json", "is not what p4c --p4runtime-files writes"},
		{"--grpc-addr " + taken.Addr().String(), "another program has this address, perhaps a switch"},
	} {
		args := append([]string{"switch", "--grpc-addr", "127.0.0.1:0"}, strings.Fields(c.args)...)
		if got := refusal(t, args...); !strings.Contains(got, c.want) {
			t.Errorf("%s: %swant %q", c.args, got, c.want)
		}
	}
}

// runningSwitch is a switch of the command line.
type runningSwitch struct {
	t        *testing.T
	out, err *signalWriter
	code     chan int
	stop     context.CancelFunc
	ended    sync.Once
}

// startSwitch runs the command until the test ends, and returns when it has started.
func startSwitch(t *testing.T, args ...string) *runningSwitch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &runningSwitch{t: t, out: newWriter(), err: newWriter(), code: make(chan int, 1), stop: cancel}
	go func() {
		r.code <- Run(ctx, append([]string{"switch"}, args...),
			Streams{In: strings.NewReader(""), Out: r.out, Err: r.err})
	}()
	t.Cleanup(r.end)
	return r
}

// end stops the switch and waits for it.
func (r *runningSwitch) end() {
	r.ended.Do(func() {
		r.stop()
		if code := <-r.code; code != exitOK {
			r.t.Errorf("exit code %d: %s", code, r.err.String())
		}
	})
}

// newWriter returns a writer that may be read while it is written.
func newWriter() *signalWriter { return &signalWriter{seen: make(chan struct{})} }

// await waits until the switch has written a text.
func await(t *testing.T, w *signalWriter, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(w.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q never came: %s", text, w.String())
		}
	}
}

// dial connects to the switch at a socket.
func dial(t *testing.T, socket string) p4v1.P4RuntimeClient {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return p4v1.NewP4RuntimeClient(conn)
}

// The command line is the one that the P4 tutorials' run_exercise.py makes for simple_switch_grpc.
func TestSwitchTakesTheCommandLineOfTheTutorials(t *testing.T) {
	dir := switchFiles(t)
	t.Chdir(dir)
	if err := os.Mkdir("pcaps", 0o700); err != nil {
		t.Fatal(err)
	}
	host, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	local := freeUDP(t)
	r := startSwitch(t, "-i", "1@udp:"+local+","+host.LocalAddr().String(), "--pcap", "pcaps",
		"--nanolog", "ipc:///tmp/bm-log.ipc", "--device-id", "0", "basic.json", "--log-console",
		"--thrift-port", "9090", "--", "--grpc-server-addr", "unix:s", "--cpu-port", "255")
	c := dial(t, filepath.Join(dir, "s"))
	stream, err := c.Read(t.Context(), &p4v1.ReadRequest{DeviceId: 0}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != grpccodes.FailedPrecondition {
		t.Errorf("a read without P4Info: %v", err)
	}
	to, err := net.ResolveUDPAddr("udp", local)
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{0, 0, 0, 0, 0, 9}, make([]byte, 54)...)
	if _, err := host.WriteTo(frame, to); err != nil {
		t.Fatal(err)
	}
	await(t, r.out, "port 1 received 60 bytes: 0x000000000009")
	await(t, r.out, "table ingress.forward_table: ")
	for _, want := range []string{"--thrift-port has no effect", "--nanolog has no effect",
		"level=INFO", "dropped: the program dropped it in ingress"} {
		await(t, r.out, want)
	}
	r.end()
	if info, err := os.Stat("pcaps/port1_in.pcap"); err != nil || info.Size() < 24+16+60 {
		t.Errorf("captured: %v, %v", info, err)
	}
}

// freeUDP returns an address that was free a moment ago.
func freeUDP(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}

func TestSwitchPortsOfARunningSwitch(t *testing.T) {
	t.Chdir(t.TempDir())
	r := startSwitch(t, "--grpc-addr", "unix:s", "-i", "1@udp:127.0.0.1:0", "--http", "127.0.0.1:0")
	await(t, r.err, "msg=serving")
	at := regexp.MustCompile(`http=http://([0-9.:]+)/`).FindStringSubmatch(r.err.String())[1]
	said := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		s := Streams{In: strings.NewReader(""), Out: &out, Err: &out}
		args = append([]string{"switch", "ports", "--at", at}, args...)
		if code := Run(t.Context(), args, s); code != exitOK {
			t.Errorf("%q: exit code %d: %s", args, code, &out)
		}
		return out.String()
	}
	if got := said(); !strings.Contains(got, "1     tunnel  udp:127.0.0.1:0") || strings.Count(got, "\n") != 3 {
		t.Errorf("ports:\n%s", got)
	}
	if got := said("--add", "7@udp:127.0.0.1:0", "--remove", "1"); !strings.Contains(got, "7     tunnel") ||
		strings.Count(got, "\n") != 3 {
		t.Errorf("ports after a change:\n%s", got)
	}
	got := refusal(t, "switch", "ports", "--at", at, "--add", "7@udp:127.0.0.1:0")
	if !strings.Contains(got, "port number is in use") {
		t.Errorf("a port twice: %s", got)
	}
	r.end()
	if got := refusal(t, "switch", "ports", "--at", at); !strings.Contains(got, "no switch serves --http at "+at) {
		t.Errorf("without a switch: %s", got)
	}
}
