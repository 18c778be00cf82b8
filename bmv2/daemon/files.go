package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2"
	"github.com/turbokv/turbokv/bmv2/p4rt"
	"github.com/turbokv/turbokv/bmv2/v1model"
)

// ReadProgram reads a file of JSON that p4c's bmv2 back end wrote. data is what the file holds.
func ReadProgram(path string) (program *bmv2.Program, data []byte, err error) {
	if data, err = os.ReadFile(path); err != nil {
		return nil, nil, fmt.Errorf("program: %w", err)
	}
	if program, err = bmv2.Load(data); err != nil {
		if !json.Valid(data) {
			err = fmt.Errorf("it is not the JSON that p4c-bm2-ss writes: %w", err)
		}
		return nil, nil, fmt.Errorf("program %s: %w", path, err)
	}
	return program, data, nil
}

// ReadInfo reads a file of P4Info as p4c --p4runtime-files writes it: the ending .bin is the wire
// format, .json is JSON, everything else is text.
func ReadInfo(path string) (*p4config.P4Info, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("p4info: %w", err)
	}
	info := new(p4config.P4Info)
	switch filepath.Ext(path) {
	case ".bin":
		err = proto.Unmarshal(data, info)
	case ".json":
		err = protojson.Unmarshal(data, info)
	default:
		err = prototext.Unmarshal(data, info)
	}
	if err != nil {
		return nil, fmt.Errorf("p4info %s: is not what p4c --p4runtime-files writes (.bin: wire format, "+
			".json: JSON, others: text): %w", path, err)
	}
	return info, nil
}

// ReadPipeline reads a program and, unless its path is empty, the P4Info of it, and checks that a
// switch can run them and that they belong together. The pipeline is nil without P4Info.
func ReadPipeline(
	program, info string,
) (*bmv2.Program, *p4v1.ForwardingPipelineConfig, error) {
	prog, data, err := ReadProgram(program)
	if err != nil {
		return nil, nil, err
	}
	if err := v1model.Verify(prog); err != nil {
		return nil, nil, fmt.Errorf("program %s: %w", program, err)
	}
	if info == "" {
		return prog, nil, nil
	}
	config := &p4v1.ForwardingPipelineConfig{P4DeviceConfig: data}
	if config.P4Info, err = ReadInfo(info); err != nil {
		return nil, nil, err
	}
	if err := p4rt.Check(config.P4Info, prog); err != nil {
		return nil, nil, fmt.Errorf("p4info %s does not belong to program %s: %w", info, program, err)
	}
	return prog, config, nil
}
