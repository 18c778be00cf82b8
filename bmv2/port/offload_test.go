package port

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// vnetHeader asks for the checksum from start on, to be stored offset bytes further.
func vnetHeader(start, offset uint16) []byte {
	h := make([]byte, vnetHeaderLen)
	h[0] = vnetNeedsChecksum
	binary.NativeEndian.PutUint16(h[6:], start)
	binary.NativeEndian.PutUint16(h[8:], offset)
	return h
}

// The words are those of the example in RFC 1071 section 3, whose sum is ddf2.
func TestCompleteChecksum(t *testing.T) {
	frame := []byte{0xaa, 0xaa, 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0x00, 0x00}
	if err := completeChecksum(vnetHeader(2, 8), frame); err != nil {
		t.Fatal(err)
	}
	if got := binary.BigEndian.Uint16(frame[10:]); got != ^uint16(0xddf2) {
		t.Errorf("checksum %#x, want %#x", got, ^uint16(0xddf2))
	}
}

func TestCompleteChecksumOddLengthAndZero(t *testing.T) {
	odd := []byte{0x00, 0x00, 0x12, 0x34, 0x56}
	if err := completeChecksum(vnetHeader(0, 0), odd); err != nil {
		t.Fatal(err)
	}
	if got := binary.BigEndian.Uint16(odd); got != ^uint16(0x1234+0x5600) {
		t.Errorf("odd length: checksum %#x", got)
	}
	zero := []byte{0x00, 0x00, 0xff, 0xff}
	if err := completeChecksum(vnetHeader(0, 0), zero); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(zero[:2], []byte{0xff, 0xff}) {
		t.Errorf("a sum of zero became %x, want ffff", zero[:2])
	}
}

func TestCompleteChecksumRefuses(t *testing.T) {
	segmented := make([]byte, vnetHeaderLen)
	segmented[1] = 1
	if err := completeChecksum(segmented, make([]byte, 60)); !errors.Is(err, errSegmented) {
		t.Errorf("segmented frame: %v", err)
	}
	if err := completeChecksum(vnetHeader(50, 9), make([]byte, 60)); !errors.Is(err, errOffload) {
		t.Errorf("field outside the frame: %v", err)
	}
	if err := completeChecksum(vnetHeader(61, 0), make([]byte, 60)); !errors.Is(err, errOffload) {
		t.Errorf("start outside the frame: %v", err)
	}
}

func FuzzOffload(f *testing.F) {
	f.Add(vnetHeader(14, 6), make([]byte, 60), uint16(0x8100), uint16(7))
	f.Add(vnetHeader(60, 0xffff), make([]byte, 60), uint16(0), uint16(0))
	f.Add(vnetHeader(0, 0), []byte{}, uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, vnet, data []byte, protocol, control uint16) {
		if len(vnet) < vnetHeaderLen || len(data) > MaxFrame {
			return
		}
		frame := append(make([]byte, 0, MaxFrame), data...)
		if err := completeChecksum(vnet, frame); err != nil || vnet[0]&vnetNeedsChecksum == 0 {
			if !bytes.Equal(frame, data) {
				t.Errorf("frame changed without need, error %v", err)
			}
			return
		}
		field := int(binary.NativeEndian.Uint16(vnet[6:])) +
			int(binary.NativeEndian.Uint16(vnet[8:]))
		if t, ok := findTransport(frame); ok && t.protocol == protocolSCTP {
			return // whose checksum has four bytes
		}
		if !bytes.Equal(frame[:field], data[:field]) || !bytes.Equal(frame[field+2:],
			data[field+2:]) {
			t.Errorf("more than the field at %d changed: %x became %x", field, data, frame)
		}
		before := bytes.Clone(frame)
		tagged, ok := insertTag(frame, protocol, control)
		if ok && !bytes.Equal(append(bytes.Clone(tagged[:12]), tagged[16:]...), before) {
			t.Errorf("tag changed the frame: %x became %x", before, tagged)
		}
	})
}
