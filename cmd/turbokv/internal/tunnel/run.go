package tunnel

// Limits of one run: what the kernel takes as one datagram with segmentation (UDP_MAX_SEGMENTS of
// older kernels, and the largest UDP payload over IPv4).
const (
	maxSegments = 64
	maxBytes    = 65507
)

// run returns how many of the frames, at least one, can go out as one: all of the size of the
// first, but the last, which may be shorter.
func run(frames [][]byte) int {
	size, total := len(frames[0]), len(frames[0])
	n := 1
	if size == 0 {
		return n
	}
	for n < len(frames) && n < maxSegments {
		next := len(frames[n])
		if next == 0 || next > size || total+next > maxBytes {
			break
		}
		n++
		total += next
		if next < size {
			break
		}
	}
	return n
}

// padding returns the size to which all frames are to be padded, or 0 when that does not pay: frames
// of mixed sizes make many short runs, and a datagram more costs as much as copying some ten
// thousand bytes. Receivers know where a frame ends by its headers, as with the padding that
// Ethernet adds to short frames.
func padding(frames [][]byte) int {
	runs, size := 0, 0
	for at := 0; at < len(frames); {
		n := run(frames[at:])
		size = max(size, len(frames[at]))
		at += n
		runs++
	}
	if padded := (len(frames) + perRun(size) - 1) / perRun(size); runs <= worthPadding*padded {
		return 0
	}
	return size
}

// worthPadding is how many times fewer datagrams there must be.
const worthPadding = 3

// perRun is how many frames of that size, at least 1, fit into a run.
func perRun(size int) int { return max(1, min(maxSegments, maxBytes/max(size, 1))) }

// segments cuts a datagram into the frames that it carries. The size is that of all but the last;
// 0 stands for a single frame.
type segments struct {
	rest []byte
	size int
}

// next returns the next frame, or nil at the end.
func (s *segments) next() []byte {
	if s.size <= 0 || s.size >= len(s.rest) {
		frame := s.rest
		s.rest = nil
		return frame
	}
	frame := s.rest[:s.size]
	s.rest = s.rest[s.size:]
	return frame
}
