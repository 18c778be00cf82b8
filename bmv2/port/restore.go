package port

import "slices"

// vlanTag is a tag that the kernel took out of a frame.
type vlanTag struct {
	protocol, control uint16
	present           bool
}

// restorer brings what the kernel hands over into the form that it has on a cable: it completes
// checksums, puts VLAN tags back and cuts large frames. The zero value is ready.
type restorer struct {
	waiting backlog // frames that have been cut; nothing received later may come before them
	large   []byte
}

// frame restores a frame in place, or reports that it cannot be. Its capacity leaves room for a tag.
func (r *restorer) frame(frame, vnet []byte, tag vlanTag) ([]byte, bool) {
	if completeChecksum(vnet, frame) != nil {
		return nil, false
	}
	if tag.present {
		return insertTag(frame, tag.protocol, tag.control)
	}
	return frame, true
}

// cut appends the frames that a large one, given in parts, stands for to those that wait, or reports
// that it cannot be cut.
func (r *restorer) cut(vnet []byte, tag vlanTag, parts ...[]byte) bool {
	r.large = r.large[:0]
	for _, p := range parts {
		r.large = append(r.large, p...)
	}
	shift, ok := 0, true
	if tag.present {
		shift = 4
		r.large, ok = insertTag(slices.Grow(r.large, shift), tag.protocol, tag.control)
	}
	f, err := parseLarge(vnet, r.large, shift)
	if err != nil || !ok {
		return false
	}
	f.cut(&r.waiting)
	return true
}
