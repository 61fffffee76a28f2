package disk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// holeBlock is the smallest hole that [WriteSparse] leaves, in bytes.
const holeBlock = 32 << 10

var zeros [holeBlock]byte

// WriteSparse writes data at an offset of a file, and leaves holes for long runs of
// zeros. A sparse file takes as little room after a restore as before. The caller sets
// the size of the file: a hole at the end makes the file no longer.
func WriteSparse(f *os.File, data []byte, at int64) error {
	for len(data) > 0 {
		n := min(int64(len(data)), holeBlock-at%holeBlock)
		empty := n == holeBlock && bytes.Equal(data[:n], zeros[:])
		for more := n; more > 0; n += more { // as many blocks as are alike
			more = min(int64(len(data))-n, holeBlock)
			if more == 0 || empty != (more == holeBlock && bytes.Equal(data[n:n+more], zeros[:])) {
				break
			}
		}
		var err error
		if empty {
			err = writeHole(f, data[:n], at)
		} else {
			_, err = f.WriteAt(data[:n], at)
		}
		if err != nil {
			return err
		}
		data, at = data[n:], at+n
	}
	return nil
}

// writeHole makes a hole in place of zeros. An earlier try may have written other bytes
// there, and the hole removes those bytes. A file system without holes gets the zeros.
func writeHole(f *os.File, data []byte, at int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, int64(len(data)))
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		_, err = f.WriteAt(data, at)
	}
	return err
}

// copySparse copies a file into an empty file, with holes for long runs of zeros.
func copySparse(out *os.File, in io.Reader) error {
	buf := make([]byte, 8*holeBlock)
	var at int64
	for {
		n, err := io.ReadFull(in, buf)
		if writeErr := WriteSparse(out, buf[:n], at); writeErr != nil {
			return writeErr
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}
