// Package p4src carries TurboKV's P4 program for v1model and what p4c made of it: the bmv2 JSON
// and the P4Info that SetForwardingPipelineConfig hands to simple_switch_grpc or to the built-in
// switch alike. Both stand beside the sources, so that neither building nor testing needs a
// compiler; the tests prove that they belong to the sources.
//
// turbokv.p4 is the table of contents of the program. The control plane finds every object by the
// names in names.go. testdata/*.stf holds one file of packets in and out per feature; they run on
// the built-in switch always and on simple_switch_grpc when it is on PATH.
//
// After a change of the sources run "go generate ./p4src" with p4c-bm2-ss on PATH.
package p4src

//go:generate go run ./internal/compile

import (
	_ "embed"
	"fmt"

	configv1 "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/protobuf/encoding/prototext"
)

//go:embed turbokv.json
var deviceConfig string

//go:embed turbokv.p4info.txtpb
var p4InfoText string

// DeviceConfig returns the program as bmv2 JSON, the p4_device_config of P4Runtime. The caller owns
// the bytes.
func DeviceConfig() []byte { return []byte(deviceConfig) }

// P4InfoText returns the P4Info in protobuf text format.
func P4InfoText() string { return p4InfoText }

// P4Info returns the control plane's view of the program. The caller owns it.
func P4Info() (*configv1.P4Info, error) {
	info := new(configv1.P4Info)
	if err := prototext.Unmarshal([]byte(p4InfoText), info); err != nil {
		return nil, fmt.Errorf("embedded P4Info: %w", err)
	}
	return info, nil
}
