package p4rt

import (
	"errors"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/status"

	"github.com/turbokv/turbokv/bmv2"
)

// Check reports whether P4Info describes a program. The error names the first object that the two
// do not agree on.
func Check(info *p4config.P4Info, program *bmv2.Program) error {
	if _, err := newPipeline(&p4v1.ForwardingPipelineConfig{P4Info: info}, program); err != nil {
		return errors.New(status.Convert(err).Message())
	}
	return nil
}
