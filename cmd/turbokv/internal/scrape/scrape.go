// Package scrape gathers the metrics of the processes of a cluster on this machine, so that one address
// serves all of them.
package scrape

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
)

// Target is one process.
type Target struct {
	Part    string // its name
	Address string // host:port
}

// Gatherer gathers what the processes serve as /metrics. A process that does not answer is told by the
// metric turbokv_part_reachable.
type Gatherer struct {
	// Targets returns the processes at the time of a scrape.
	Targets func() []Target
}

// Bounds of one scrape.
const (
	timeout = 2 * time.Second
	maxPage = 64 << 20 // bytes
)

// Gather implements prometheus.Gatherer.
func (g Gatherer) Gather() ([]*dto.MetricFamily, error) {
	targets := g.Targets()
	pages := make([]map[string]*dto.MetricFamily, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() { pages[i], _ = read(t.Address) }) // an error shows as unreachable
	}
	all.Wait()
	merged := make(prometheus.Gatherers, 0, len(pages)+1)
	reachable := &dto.MetricFamily{
		Name: proto.String("turbokv_part_reachable"),
		Help: proto.String("1 if the process of turbokv up answered the scrape."),
		Type: dto.MetricType_GAUGE.Enum(),
	}
	for i, page := range pages {
		up := 0.0
		if page != nil {
			up = 1
		}
		reachable.Metric = append(reachable.Metric, &dto.Metric{
			Label: []*dto.LabelPair{{Name: proto.String("part"), Value: proto.String(targets[i].Part)}},
			Gauge: &dto.Gauge{Value: proto.Float64(up)},
		})
		merged = append(merged, fixed(page))
	}
	merged = append(merged, fixed{reachable.GetName(): reachable})
	return merged.Gather()
}

// fixed are metrics that have been gathered.
type fixed map[string]*dto.MetricFamily

// Gather implements prometheus.Gatherer.
func (f fixed) Gather() ([]*dto.MetricFamily, error) {
	var out []*dto.MetricFamily
	for name, family := range f {
		if ofProcess(name) {
			continue
		}
		out = append(out, family)
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return out, nil
}

// ofProcess reports whether metrics are of a process as such: those of several cannot be told apart.
func ofProcess(name string) bool {
	return slices.ContainsFunc([]string{"go_", "process_", "promhttp_"}, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// read scrapes one process.
func read(address string) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, reply.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(io.LimitReader(reply.Body, maxPage))
}
