package p4rt

import (
	"context"
	"fmt"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/turbokv/turbokv/bmv2"
)

// SetForwardingPipelineConfig implements the service.
func (s *Server) SetForwardingPipelineConfig(
	_ context.Context, r *p4v1.SetForwardingPipelineConfigRequest,
) (*p4v1.SetForwardingPipelineConfigResponse, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	allowed, err := s.writer(r.GetDeviceId(), r.GetRole(), r.GetElectionId())
	switch {
	case err != nil:
		return nil, err
	case !allowed.mayPush():
		return nil, status.Error(codes.PermissionDenied, "the role may not set the pipeline")
	}
	if err := s.setPipeline(r.GetAction(), r.GetConfig()); err != nil {
		return nil, err
	}
	return &p4v1.SetForwardingPipelineConfigResponse{}, nil
}

// setPipeline carries out one action on the pipeline.
func (s *Server) setPipeline(
	action p4v1.SetForwardingPipelineConfigRequest_Action, config *p4v1.ForwardingPipelineConfig,
) error {
	if action == p4v1.SetForwardingPipelineConfigRequest_COMMIT {
		return s.commitSaved(config)
	}
	p, err := s.build(config)
	if err != nil {
		return err
	}
	switch action {
	case p4v1.SetForwardingPipelineConfigRequest_VERIFY:
		return nil
	case p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_SAVE:
		s.saved = p
		s.control.Store(p)
		return nil
	case p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT:
		s.commit(p)
		return nil
	case p4v1.SetForwardingPipelineConfigRequest_RECONCILE_AND_COMMIT:
		if err := s.reconcile(p); err != nil {
			return err
		}
		s.commit(p)
		return nil
	}
	return invalid("action %v: valid are VERIFY, VERIFY_AND_SAVE, VERIFY_AND_COMMIT, COMMIT, "+
		"RECONCILE_AND_COMMIT", action)
}

// build makes a pipeline with a switch of its own, which no packet meets yet.
func (s *Server) build(config *p4v1.ForwardingPipelineConfig) (*pipeline, error) {
	if config.GetP4Info() == nil || len(config.GetP4DeviceConfig()) == 0 {
		return nil, invalid("the config must have a P4Info and a device config")
	}
	program, err := bmv2.Load(deviceData(config.GetP4DeviceConfig()))
	if err != nil {
		return nil, invalid("device config: %v", err)
	}
	p, err := newPipeline(proto.Clone(config).(*p4v1.ForwardingPipelineConfig), program)
	if err != nil {
		return nil, err
	}
	if p.sw, err = s.cfg.NewSwitch(program); err != nil {
		return nil, invalid("device config: %v", err)
	}
	for _, f := range p.profiles.list {
		if err := p.sw.SetProfileLimits(f.name, f.limits()); err != nil {
			return nil, fromEngine(err)
		}
	}
	return p, nil
}

// commit puts a pipeline into service.
func (s *Server) commit(p *pipeline) {
	s.saved = nil
	s.control.Store(p)
	s.live.Store(p)
	s.cfg.Activate(p.sw)
	if s.cfg.Events.Pipeline != nil {
		s.cfg.Events.Pipeline(p.program.Name)
	}
}

// commitSaved puts the saved pipeline into service, with all that was written to it meanwhile.
func (s *Server) commitSaved(config *p4v1.ForwardingPipelineConfig) error {
	switch {
	case config != nil:
		return invalid("COMMIT takes no config")
	case s.saved == nil:
		return status.Error(codes.NotFound, "no pipeline was saved; use VERIFY_AND_SAVE before COMMIT")
	}
	s.commit(s.saved)
	return nil
}

// GetForwardingPipelineConfig implements the service.
func (s *Server) GetForwardingPipelineConfig(
	_ context.Context, r *p4v1.GetForwardingPipelineConfigRequest,
) (*p4v1.GetForwardingPipelineConfigResponse, error) {
	if r.GetDeviceId() != s.cfg.DeviceID {
		return nil, s.unknownDevice(r.GetDeviceId())
	}
	p := s.control.Load()
	if p == nil { // no error, says the specification
		return &p4v1.GetForwardingPipelineConfigResponse{}, nil
	}
	config := &p4v1.ForwardingPipelineConfig{Cookie: p.config.GetCookie()}
	info, device := p.config.GetP4Info(), p.config.GetP4DeviceConfig()
	switch r.GetResponseType() {
	case p4v1.GetForwardingPipelineConfigRequest_ALL:
		config.P4Info, config.P4DeviceConfig = info, device
	case p4v1.GetForwardingPipelineConfigRequest_COOKIE_ONLY:
	case p4v1.GetForwardingPipelineConfigRequest_P4INFO_AND_COOKIE:
		config.P4Info = info
	case p4v1.GetForwardingPipelineConfigRequest_DEVICE_CONFIG_AND_COOKIE:
		config.P4DeviceConfig = device
	default:
		return nil, invalid("response type %v: valid are ALL, COOKIE_ONLY, P4INFO_AND_COOKIE, "+
			"DEVICE_CONFIG_AND_COOKIE", r.GetResponseType())
	}
	return &p4v1.GetForwardingPipelineConfigResponse{Config: config}, nil
}

// legacyDeviceData is the field of p4.tmp.P4DeviceConfig that holds the JSON.
const legacyDeviceData = 3

// deviceData returns the JSON of a device config. Older controllers, those of the P4 tutorials
// among them, wrap it into the message p4.tmp.P4DeviceConfig, which PI still accepts.
func deviceData(config []byte) []byte {
	if config[0] == '{' {
		return config
	}
	var found []byte
	for rest := config; len(rest) > 0; {
		field, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return config
		}
		rest = rest[n:]
		if field == legacyDeviceData && kind == protowire.BytesType {
			if found, n = protowire.ConsumeBytes(rest); n < 0 {
				return config
			}
		} else if n = protowire.ConsumeFieldValue(field, kind, rest); n < 0 {
			return config
		}
		rest = rest[n:]
	}
	if found == nil {
		return config
	}
	return found
}

// SetPipeline puts a pipeline into service without a controller, as a file on the command line of
// simple_switch_grpc does.
func (s *Server) SetPipeline(config *p4v1.ForwardingPipelineConfig) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.setPipeline(p4v1.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT, config)
	if err != nil {
		return fmt.Errorf("p4runtime server: %w", err)
	}
	return nil
}
