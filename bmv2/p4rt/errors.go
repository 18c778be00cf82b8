package p4rt

import (
	"errors"
	"fmt"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/turbokv/turbokv/bmv2/v1model"
)

// errorSpace names the target in p4.v1.Error as PI does.
const errorSpace = "ALL-sswitch-p4org"

// maxErrorDetails bounds the encoded error details of one call in bytes. gRPC carries them as a
// header, whose size every client limits (8 KiB in C++ and Python, 16 MiB in Go); beyond the
// limit the client sees RESOURCE_EXHAUSTED instead of the error. Past this bound only the summary
// is sent.
const maxErrorDetails = 1 << 20

// engineCodes says what a controller sees of the switch's errors.
var engineCodes = []struct {
	err  error
	code codes.Code
}{
	{v1model.ErrExists, codes.AlreadyExists},
	{v1model.ErrNotFound, codes.NotFound},
	{v1model.ErrTableFull, codes.ResourceExhausted},
	{v1model.ErrSize, codes.ResourceExhausted},
	{v1model.ErrInUse, codes.FailedPrecondition},
	{v1model.ErrConst, codes.PermissionDenied},
	{v1model.ErrRange, codes.OutOfRange},
	{v1model.ErrWidth, codes.InvalidArgument},
	{v1model.ErrInvalid, codes.InvalidArgument},
	{v1model.ErrUnknown, codes.InvalidArgument},
}

// fromEngine gives an error of the switch its canonical code.
func fromEngine(err error) error {
	if err == nil {
		return nil
	}
	for _, c := range engineCodes {
		if errors.Is(err, c.err) {
			return status.Error(c.code, err.Error())
		}
	}
	return status.Error(codes.Unknown, err.Error())
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func unimplemented(format string, args ...any) error {
	return status.Errorf(codes.Unimplemented, format, args...)
}

// batchError turns the outcome of each element of a batch, updates or requests, into the status of
// the call: UNKNOWN, with one p4.v1.Error per element, successful ones included, in their order.
func batchError(what string, outcomes []error) error {
	failed, first := 0, -1
	size := 0
	for i, err := range outcomes {
		if err != nil {
			failed++
			if first < 0 {
				first = i
			}
			size += len(err.Error())
		}
		size += 48 // type URL and framing
	}
	if failed == 0 {
		return nil
	}
	st := &spb.Status{
		Code: int32(code.Code_UNKNOWN),
		Message: fmt.Sprintf("%d of %d %s failed, the first of them number %d: %s",
			failed, len(outcomes), what, first, text(outcomes[first])),
	}
	if size <= maxErrorDetails {
		st.Details = errorDetails(outcomes)
	}
	return status.FromProto(st).Err()
}

func errorDetails(outcomes []error) []*anypb.Any {
	ok := packError(&p4v1.Error{})
	details := make([]*anypb.Any, len(outcomes))
	for i, err := range outcomes {
		if err == nil {
			details[i] = ok
			continue
		}
		s := status.Convert(err)
		details[i] = packError(&p4v1.Error{
			CanonicalCode: int32(s.Code()),
			Message:       s.Message(),
			Space:         errorSpace,
		})
	}
	return details
}

func packError(e *p4v1.Error) *anypb.Any {
	value, err := proto.Marshal(e)
	if err != nil { // only for strings that are not UTF-8
		value = nil
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/p4.v1.Error", Value: value}
}

// wrap puts the place before the message of an error, which keeps its code.
func wrap(err error, place string, args ...any) error {
	return status.Error(status.Code(err), fmt.Sprintf(place, args...)+": "+text(err))
}

// hex returns the bytes of a controller for a message, long ones abbreviated.
func hex(value []byte) string {
	const enough = 64
	if len(value) <= enough {
		return fmt.Sprintf("%#x", value)
	}
	return fmt.Sprintf("%#x...", value[:enough])
}
