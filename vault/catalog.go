package vault

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"holdfast/disk"
	"holdfast/manifest"
)

// catalog lists the contents of a snapshot. The stages of a backup fill the
// catalog in turn, and the listing is written from it. Long lists lie in files
// of the state folder: memory does not grow with the instance.
type catalog struct {
	// Filled by database, anew in each transaction.
	paged   []*pagedFile
	streams []*stream
	media   *os.File // the paths that rows name, a line each, in byte order
	mediaN  int64    // lines in media
	invalid []string // keys of rows that no file can have

	// Filled by files.
	files []string // paths

	// Filled by files and media: paths that the source named and could not
	// read. True: the file counts as missing.
	unread map[string]bool
}

func newCatalog(dir string) (*catalog, error) {
	media, err := disk.Scratch(dir)
	if err != nil {
		return nil, err
	}
	return &catalog{media: media, unread: map[string]bool{}}, nil
}

func (c *catalog) close() {
	c.reset()
	c.media.Close()
}

// reset forgets the fields of an earlier transaction.
func (c *catalog) reset() {
	for _, p := range c.paged {
		p.trail.Close()
	}
	for _, s := range c.streams {
		s.close()
	}
	c.paged, c.streams, c.mediaN, c.invalid = nil, nil, 0, nil
}

// closeReaders closes the readers of the transaction.
func (c *catalog) closeReaders() {
	for _, p := range c.paged {
		p.closeReader()
	}
}

// noteMedia notes the media of a view.
func (c *catalog) noteMedia(paths iter.Seq2[string, error]) error {
	if _, err := c.media.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("note media: %w", err)
	}
	if err := c.media.Truncate(0); err != nil {
		return fmt.Errorf("note media: %w", err)
	}
	w := bufio.NewWriter(c.media)
	for path, err := range paths {
		if err != nil {
			return fmt.Errorf("list media: %w: %w", ErrSource, err)
		}
		if !manifest.ValidPath(path) {
			reason := fmt.Sprintf("%q (not a path; a row of media_attachments or emojis has this key)", path)
			c.invalid = append(c.invalid, reason)
			continue
		}
		w.WriteString(path)
		w.WriteByte('\n')
		c.mediaN++
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("note media: %w", err)
	}
	return nil
}

// paths yields the paths of files or media in byte order.
func (c *catalog) paths(part manifest.Part) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if part == manifest.Files {
			for _, path := range c.files {
				if !yield(path, nil) {
					return
				}
			}
			return
		}
		_, err := c.media.Seek(0, io.SeekStart)
		lines := bufio.NewScanner(c.media)
		for err == nil && lines.Scan() {
			if !yield(lines.Text(), nil) {
				return
			}
		}
		if err := errors.Join(err, lines.Err()); err != nil {
			yield("", fmt.Errorf("read noted media: %w", err))
		}
	}
}
