package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"holdfast/chunking"
	"holdfast/manifest"
)

// batch is a run of chunks, cut and hashed. Batches cross from the goroutine of
// cut to the goroutine of the packer: few large steps instead of many small
// steps.
type batch struct {
	data []byte
	ends []int // of the chunks in data
	ids  []manifest.Hash
}

const (
	batchSize = 128 << 10
	// cutAhead is the number of batches of a stream.
	cutAhead = 4
)

// cut fills free batches with chunks up to the end of the stream, or until stop
// is closed, and sends them on. cut closes batches at the end.
func cut(ctx context.Context, cutter *chunking.Cutter, largest int,
	free <-chan *batch, batches chan<- *batch, stop <-chan struct{}) error {
	defer close(batches)
	for {
		var c *batch
		select {
		case c = <-free:
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		err := c.fill(cutter, largest)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		select {
		case batches <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return nil
		}
	}
}

// fill cuts chunks while the batch surely has room for another. io.EOF is the
// end of the stream.
func (c *batch) fill(cutter *chunking.Cutter, largest int) error {
	if c.data == nil { // most streams are short and need a single batch
		c.data = make([]byte, 0, batchSize)
	}
	c.data, c.ends, c.ids = c.data[:0], c.ends[:0], c.ids[:0]
	for len(c.data)+largest <= cap(c.data) {
		chunk, err := cutter.Next(c.data[len(c.data):])
		if err != nil {
			return err
		}
		c.data = c.data[:len(c.data)+len(chunk)]
		c.ends = append(c.ends, len(c.data))
		c.ids = append(c.ids, sha256.Sum256(chunk))
	}
	return nil
}

// chunks takes the chunks out of batches.
type chunks struct {
	batches <-chan *batch
	free    chan<- *batch
	current *batch
	i       int // of the next chunk in current
}

// next returns the next chunk and its ID. The bytes are valid until the next
// call. ok is false at the end of a stream, also of a broken stream.
func (c *chunks) next() (chunk []byte, id manifest.Hash, ok bool) {
	for c.current == nil || c.i == len(c.current.ids) {
		if c.current != nil {
			c.free <- c.current
		}
		if c.current, ok = <-c.batches; !ok {
			return nil, manifest.Hash{}, false
		}
		c.i = 0
	}
	from := 0
	if c.i > 0 {
		from = c.current.ends[c.i-1]
	}
	chunk, id = c.current.data[from:c.current.ends[c.i]], c.current.ids[c.i]
	c.i++
	return chunk, id, true
}
