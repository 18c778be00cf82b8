package storagenode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/turbokv/turbokv/controller/controlpb"
	"github.com/turbokv/turbokv/kv"
	"github.com/turbokv/turbokv/serverlib"
)

// Pauses between two attempts to reach the controller: doubled from the first to the longest, and
// drawn from the upper half, so that nodes do not come back all at once.
const (
	retryFirst   = 100 * time.Millisecond
	retryLongest = 500 * time.Millisecond // a standby controller takes over within two seconds
)

// reportInterval is used when the controller names none.
const reportInterval = time.Second

// reportGap is the shortest time between two reports that changes of state cause: a node whose
// replicas all change at once tells so in few of them.
const reportGap = 5 * time.Millisecond

// orderBatch is the number of orders of the controller that share one fsync.
const orderBatch = 256

// control keeps a session with a controller until ctx is done: with the one that accepts it, among
// those that the target names.
func (n *Node) control(ctx context.Context) {
	clients, closeAll, err := n.dialControllers()
	defer closeAll()
	if err != nil {
		n.fail(err)
		return
	}
	pause := retryFirst
	for i := 0; ctx.Err() == nil; i++ {
		c := clients[i%len(clients)]
		welcomed, err := n.session(ctx, c)
		if ctx.Err() != nil {
			return
		}
		n.cfg.Events.disconnected(fmt.Errorf("controller %q: %w", c.target, err))
		if welcomed {
			pause = retryFirst
		}
		wait(ctx, pause/2+rand.N(pause/2))
		if (i+1)%len(clients) == 0 { // all have been tried
			pause = min(2*pause, retryLongest)
		}
	}
}

// controllerClient talks to one controller.
type controllerClient struct {
	controlpb.NodeControlClient
	target string
}

// dialControllers prepares a connection to each controller.
func (n *Node) dialControllers() (clients []controllerClient, closeAll func(), err error) {
	var conns []*grpc.ClientConn
	closeAll = func() {
		for _, c := range conns {
			_ = c.Close() // nothing is under way that could fail
		}
	}
	// gRPC's own pause grows to two minutes, far longer than a controller needs to restart.
	options := append([]grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff: backoff.Config{
			BaseDelay: retryFirst, Multiplier: 2, Jitter: 0.5, MaxDelay: retryLongest,
		},
	})}, n.cfg.Control.DialOptions...)
	for target := range strings.SplitSeq(n.cfg.Control.Target, ",") {
		conn, err := grpc.NewClient(target, options...)
		if err != nil {
			return nil, closeAll, fmt.Errorf("controller %q: %w", target, err)
		}
		conns = append(conns, conn)
		clients = append(clients, controllerClient{controlpb.NewNodeControlClient(conn), target})
	}
	return clients, closeAll, nil
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// session is one conversation; its story stands in control.proto. It returns why it ended, and
// whether the controller had accepted the node.
func (n *Node) session(ctx context.Context, client controllerClient) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel() // ends the stream on every way out, and with it the reader
	stream, err := client.Session(ctx)
	if err != nil {
		return false, err
	}
	pace, err := n.greet(stream)
	if err != nil {
		return false, err
	}
	n.stats.sessions.Add(1)
	n.stats.connected.Store(true)
	defer n.stats.connected.Store(false)
	n.cfg.Events.connected(client.target)
	orders, ended := make(chan *controlpb.ControllerMessage, orderBatch), make(chan error, 1)
	reader.Go(func() { ended <- receiveOrders(stream, orders) })
	return true, n.serve(stream, pace, orders, ended)
}

// pace is how often the controller wants to hear from the node.
type pace struct {
	report time.Duration
	beat   time.Duration // 0: it wants no beats
}

// greet says Hello and checks the Welcome.
func (n *Node) greet(stream controlpb.NodeControl_SessionClient) (pace, error) {
	hello, err := n.hello()
	if err != nil {
		return pace{}, err
	}
	msg := &controlpb.NodeMessage{Body: &controlpb.NodeMessage_Hello{Hello: hello}}
	// Send fails with io.EOF when the stream is broken; Recv says why.
	_ = stream.Send(msg)
	answer, err := stream.Recv()
	if err != nil {
		return pace{}, err
	}
	welcome := answer.GetWelcome()
	if welcome == nil {
		return pace{}, fmt.Errorf("controller answered Hello with %T: must be Welcome", answer.GetBody())
	}
	if err := n.remember(hello.GetClusterId(), welcome.GetClusterId()); err != nil {
		return pace{}, err
	}
	wanted := pace{
		report: time.Duration(welcome.GetReportIntervalMs()) * time.Millisecond,
		beat:   time.Duration(welcome.GetBeatIntervalMs()) * time.Millisecond,
	}
	wanted.report = cmp.Or(wanted.report, reportInterval)
	return wanted, nil
}

func (n *Node) hello() (*controlpb.Hello, error) {
	h := &controlpb.Hello{
		Node:        uint32(n.id),
		Mac:         n.cfg.Control.MAC[:],
		SwitchName:  n.cfg.Control.Switch,
		SwitchPort:  n.cfg.Control.Port,
		Persistent:  n.durable != nil,
		Incarnation: n.incarnation,
		Held:        n.states(),
	}
	if n.dir == nil {
		return h, nil
	}
	var err error
	h.ClusterId, err = n.dir.cluster()
	return h, err
}

// remember stores the id of the cluster, so that the data is never taken for another cluster's.
func (n *Node) remember(known, told string) error {
	if known != "" && known != told {
		return fmt.Errorf("controller is of cluster %q, but the data in %s of cluster %q",
			told, n.cfg.DataDir, known)
	}
	if n.dir == nil || known == told {
		return nil
	}
	return n.dir.setCluster(told)
}

// serve carries out orders, reports and beats until the stream ends.
func (n *Node) serve(
	stream controlpb.NodeControl_SessionClient, wanted pace,
	orders <-chan *controlpb.ControllerMessage, ended <-chan error,
) error {
	reports := time.NewTicker(wanted.report)
	defer reports.Stop()
	beats, stop := tickerOf(wanted.beat)
	defer stop()
	soon, waiting := time.NewTimer(0), true // at first of what changed while nobody listened
	defer soon.Stop()
	var usage usage
	for {
		var err error
		select {
		case first := <-orders:
			err = n.carryOut(stream, collect(first, orders))
		case <-n.changed:
			if !waiting {
				soon.Reset(reportGap)
				waiting = true
			}
		case <-soon.C:
			waiting = false
			err = n.report(stream, &usage)
		case <-reports.C:
			err = n.report(stream, &usage)
		case <-beats:
			err = stream.Send(&controlpb.NodeMessage{Body: &controlpb.NodeMessage_Beat{
				Beat: &controlpb.Beat{},
			}})
		case err := <-ended:
			return err
		}
		if err != nil {
			return reason(err, orders, ended)
		}
	}
}

// tickerOf returns a channel that ticks, or for no interval one that never does.
func tickerOf(interval time.Duration) (ticks <-chan time.Time, stop func()) {
	if interval <= 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(interval)
	return ticker.C, ticker.Stop
}

// noteChange makes the session report soon that a replica's state has changed. It never blocks: a
// change that is not taken up yet stands for those after it as well.
func (n *Node) noteChange(id kv.SubRangeID, state serverlib.State) {
	select {
	case n.changed <- struct{}{}:
	default:
	}
	if f := n.cfg.Events.StateChanged; f != nil {
		f(id, state)
	}
}

func (n *Node) report(stream controlpb.NodeControl_SessionClient, u *usage) error {
	return stream.Send(&controlpb.NodeMessage{Body: &controlpb.NodeMessage_Report{
		Report: &controlpb.Report{SubRanges: n.states(), Cpu: u.cores(), Bytes: n.size()},
	}})
}

// size returns what the node's records take, in bytes, as far as its engines know.
func (n *Node) size() (sum uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range []serverlib.Engine{n.volatile, n.durable} {
		if sized, ok := e.(serverlib.Sized); ok {
			sum += uint64(sized.Size())
		}
	}
	return sum
}

// reason returns why a stream ended on which a call has failed: Send says only io.EOF then, Recv
// knows more.
func reason(err error, orders <-chan *controlpb.ControllerMessage, ended <-chan error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	for {
		select {
		case <-orders: // the reader must not wait for room
		case err := <-ended:
			return err
		}
	}
}

// receiveOrders reads the stream until it ends, and returns why it did.
func receiveOrders(
	stream controlpb.NodeControl_SessionClient, orders chan<- *controlpb.ControllerMessage,
) error {
	for {
		msg, err := stream.Recv()
		if err != nil {
			return err
		}
		select {
		case orders <- msg:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// collect returns the first order and those that wait already.
func collect(
	first *controlpb.ControllerMessage, orders <-chan *controlpb.ControllerMessage,
) []*controlpb.ControllerMessage {
	batch := []*controlpb.ControllerMessage{first}
	for len(batch) < orderBatch {
		select {
		case next := <-orders:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// states describes all replicas to the controller.
func (n *Node) states() []*controlpb.SubRangeState {
	reports := n.Reports()
	out := make([]*controlpb.SubRangeState, len(reports))
	for i, r := range reports {
		out[i] = &controlpb.SubRangeState{
			SubRange: uint32(r.SubRange),
			Epoch:    uint32(r.Epoch),
			Role:     roleAt(r.Position, r.Length),
			Applied:  uint64(r.Applied),
			Stable:   uint64(r.Stable),
			// To the controller a replica on a broken disk is as lost as one that is gone.
			StateLost:  r.State == serverlib.StateLost || r.State == serverlib.StateFailed,
			Recovering: r.State == serverlib.StateRecovering,

			Learner:     r.Learner,
			Joined:      r.Joined,
			JoinedBytes: r.JoinedBytes,
			JoinedShare: r.JoinedShare,
		}
		for _, k := range r.Samples {
			out[i].Samples = append(out[i].Samples, k[:])
		}
	}
	return out
}

// roleAt returns the role at a position of a chain.
func roleAt(position, length int) controlpb.Role {
	switch {
	case position < 0 || position >= length:
		return controlpb.Role_ROLE_NONE
	case length == 1:
		return controlpb.Role_ROLE_SINGLE
	case position == 0:
		return controlpb.Role_ROLE_HEAD
	case position == length-1:
		return controlpb.Role_ROLE_TAIL
	}
	return controlpb.Role_ROLE_MIDDLE
}
