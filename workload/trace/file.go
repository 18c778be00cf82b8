package trace

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// File is a trace in a file.
type File struct {
	*Reader
	closers []func() error
}

// OpenFile opens a trace file, decompressing it when its name ends in .gz or .zst.
func OpenFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	file := &File{closers: []func() error{f.Close}}
	plain, err := file.decompress(path, f)
	if err == nil {
		file.Reader, err = Open(plain)
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("trace %s: %w", path, err)
	}
	return file, nil
}

func (f *File) decompress(path string, r io.Reader) (io.Reader, error) {
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		f.closers = append(f.closers, z.Close)
		return z, nil
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		f.closers = append(f.closers, func() error { z.Close(); return nil })
		return z, nil
	}
	return r, nil
}

// Close closes the file.
func (f *File) Close() (err error) {
	for i := len(f.closers) - 1; i >= 0; i-- {
		if e := f.closers[i](); err == nil {
			err = e
		}
	}
	return err
}
