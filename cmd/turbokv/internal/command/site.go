package command

import (
	"context"
	"os"
	"runtime"

	"github.com/turbokv/turbokv/clientlib"
	"github.com/turbokv/turbokv/cluster"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/gateway"
	"github.com/turbokv/turbokv/controller/admin"
	"github.com/turbokv/turbokv/kv"
)

// site is a cluster that a measurement runs on: one that serves already, or an embedded one.
type site interface {
	CreateKeyspace(ctx context.Context, spec admin.KeyspaceSpec) error
	DropKeyspace(ctx context.Context, name string) error
	Status(ctx context.Context) (admin.Status, error)
	// Dial opens a client session of its own.
	Dial(ctx context.Context, keyspace string) (*clientlib.Client, error)
	Close() error
}

// remoteSite is a cluster that a cluster file describes.
type remoteSite struct {
	app  *app
	file clusterfile.File
	*admin.Client
}

func (a *app) openRemote() (*remoteSite, error) {
	file, err := clusterfile.Read(a.clusterPath)
	if err != nil {
		return nil, err
	}
	client, err := dialAdmin(file.Admin)
	if err != nil {
		return nil, err
	}
	return &remoteSite{a, file, client}, nil
}

// CreateKeyspace implements site.
func (s *remoteSite) CreateKeyspace(ctx context.Context, spec admin.KeyspaceSpec) error {
	ctx, cancel := context.WithTimeout(ctx, s.app.timeout)
	defer cancel()
	_, err := s.Client.CreateKeyspace(ctx, spec)
	return err
}

// DropKeyspace implements site.
func (s *remoteSite) DropKeyspace(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, s.app.timeout)
	defer cancel()
	return s.Client.DropKeyspace(ctx, name)
}

// Dial implements site.
func (s *remoteSite) Dial(ctx context.Context, keyspace string) (*clientlib.Client, error) {
	conn, err := gateway.Dial(s.file.Gateway)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.app.timeout)
	defer cancel()
	return clientlib.Dial(ctx, clientlib.Config{
		Keyspace: keyspace, Service: s.file.Service, Conn: conn, Timeout: s.app.timeout,
	})
}

// embeddedSite starts a cluster in this process, for keyspaces of the durability.
func embeddedSite(ctx context.Context, nodes int, d kv.Durability) (embedded, error) {
	makeRoomForSyncs(d)
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Config{Nodes: nodes})
	return embedded{c}, err
}

// embedded is a cluster in this process.
type embedded struct{ *cluster.Cluster }

// Status implements site.
func (e embedded) Status(ctx context.Context) (admin.Status, error) { return e.Admin().Status(ctx) }

// processorsForSyncs is how many goroutines at least may run at once where several nodes sync in one
// process: two of them may sit in an fsync, which keeps a processor until the runtime takes notice,
// while others handle packets.
const processorsForSyncs = 4

// makeRoomForSyncs raises GOMAXPROCS, unless the user has set it, if nodes are going to sync.
func makeRoomForSyncs(d kv.Durability) {
	if d == kv.DurabilitySync && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), processorsForSyncs))
	}
}
