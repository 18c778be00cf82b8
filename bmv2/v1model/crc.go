package v1model

import (
	"fmt"

	"github.com/turbokv/turbokv/bmv2/engine"
)

// CRC are the parameters of a calculation whose algorithm is crc8_custom, crc16_custom,
// crc32_custom or crc64_custom.
type CRC = engine.CRC

// CRCs returns the parameters of all custom CRCs of the program by the names of their calculations.
func (s *Switch) CRCs() map[string]CRC { return s.snap.Load().rt.machine.CRCs() }

// SetCRC changes the parameters of a custom CRC, until the program is replaced. simple_switch has
// set_crc16_parameters and set_crc32_parameters in its Thrift interface for that; P4Runtime has
// nothing.
func (s *Switch) SetCRC(calculation string, p CRC) error {
	if err := s.snap.Load().rt.machine.SetCRC(calculation, p); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}
