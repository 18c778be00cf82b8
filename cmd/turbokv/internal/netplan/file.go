package netplan

import (
	"path/filepath"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
)

// Names of files in the folder of a run.
const (
	RunFile      = "run.json"   // see Run
	adminSocket  = "admin.sock" // the controller's admin service, as seen everywhere on this machine
	topologyFile = "topology.json"
	storeFile    = "controller.db"
)

// maxSocketPath is what the kernel takes for the path of a socket, less the zero byte.
const maxSocketPath = 107

// files are those that processes and clients read.
func (m *maker) files() error {
	topology, err := m.Topology.Encode()
	if err != nil {
		return err
	}
	cluster, err := clusterfile.File{Service: m.Service, Admin: m.AdminTarget()}.Encode()
	if err != nil {
		return err
	}
	m.Files = []File{
		{Path: m.path(topologyFile), Text: string(topology)},
		{Path: m.ClusterFile(), Text: string(cluster)},
	}
	return nil
}

// path returns one within the folder of the run.
func (p *Plan) path(name string) string { return filepath.Join(p.Dir, name) }

// Path returns where the file of the run is.
func (p *Plan) Path() string { return p.path(RunFile) }

// TopologyFile is the path of the topology as processes read it.
func (p *Plan) TopologyFile() string { return p.path(topologyFile) }

// StoreFile is where the controller keeps its directory, if Options.Store says nothing else.
func (p *Plan) StoreFile() string { return p.path(storeFile) }

// AdminSocket is the path of a socket of which a runner forwards connections to Plan.Admin. Sockets
// with a path are the same in every network namespace.
func (p *Plan) AdminSocket() string { return p.path(adminSocket) }

// AdminTarget is AdminSocket as gRPC names it.
func (p *Plan) AdminTarget() string { return "unix:" + p.AdminSocket() }

// ClusterFile is the path of the file by which clients in any host find the cluster.
func (p *Plan) ClusterFile() string { return clusterfile.Path(p.Dir) }

// ClientEnv is the environment in which programs of a place find the cluster.
func (p *Plan) ClientEnv() string { return clusterfile.Variable + "=" + p.ClusterFile() }
