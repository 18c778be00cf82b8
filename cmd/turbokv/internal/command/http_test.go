package command

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/clusterfile"
	"github.com/turbokv/turbokv/cmd/turbokv/internal/upservice"
)

// page is the URL of the web page of the default cluster.
func page(t *testing.T) string {
	t.Helper()
	file, err := clusterfile.Read("")
	if err != nil {
		t.Fatal(err)
	}
	info, err := upservice.Ask(t.Context(), file.Up)
	if err != nil || info.HTTP == "" {
		t.Fatalf("%+v, %v", info, err)
	}
	return info.HTTP
}

func get(t *testing.T, url string) string {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, reply.Status, err, body)
	}
	return string(body)
}

// One address serves the metrics of all parts, whether they are processes or not.
func TestUpServesTheMetricsOfAllParts(t *testing.T) {
	for _, more := range [][]string{nil, {"--processes"}} {
		t.Run(strings.Join(more, " "), func(t *testing.T) {
			up(t, append([]string{"--http", "127.0.0.1:0"}, more...)...)
			run(t, "add")
			text, missing := "", "everything"
			for end := time.Now().Add(patience); missing != ""; time.Sleep(readyPoll) {
				if time.Now().After(end) {
					t.Fatalf("no %s in\n%s", missing, text)
				}
				text, missing = get(t, page(t)+"metrics"), ""
				for _, want := range []string{
					"turbokv_controller_reachable 1", `turbokv_directory_sub_ranges{keyspace="default"`,
					`turbokv_events_total{kind="node joined",severity="info"} 4`,
					`turbokv_node_requests_total{kind="read",node="10.0.0.4"}`,
					`p4switch_table_entries{table=`, "process_start_time_seconds",
				} {
					if !strings.Contains(text, want) {
						missing = want
					}
				}
			}
			problems, err := promlint.New(bytes.NewReader([]byte(text))).Lint()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		})
	}
}
