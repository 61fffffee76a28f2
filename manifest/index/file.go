package index

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"holdfast/manifest"
)

// File is a file in the index: enough to recognise an unchanged file.
type File struct {
	Path     string
	Size     int64
	Modified int64 // nanoseconds since 1970
	Changed  int64 // the ctime as [Nanoseconds], or that of Unsettled
	Mode     uint32
	Packs    []uint32
	Line     []byte // line of the listing
}

// Unsettled is the [manifest.File.Changed] of a file that may differ from its line even
// if all attributes stay: the next backup reads the file again.
var Unsettled = time.Unix(0, -1)

// Nanoseconds returns the nanoseconds since 1970, or 0 for the zero time.
func Nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Parse returns the file of the line; zero if the line is damaged.
func (f File) Parse() (line manifest.File) {
	if err := json.Unmarshal(f.Line, &line); err != nil {
		return manifest.File{}
	}
	line.Missing = line.Missing && !line.Folder
	return line
}

// Files yields the files of a part whose packs are all known, in byte order of
// the path. Line is valid until the next file.
func (x *Index) Files(part manifest.Part) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		const query = `SELECT path, size, modified, mode, packs, line, changed FROM files WHERE part=? ORDER BY path`
		rows, err := x.db.Query(query, part)
		if err != nil {
			yield(File{}, fmt.Errorf("read index: %w", err))
			return
		}
		defer rows.Close()
		var packs, line sql.RawBytes
		for rows.Next() {
			var f File
			if err := rows.Scan(&f.Path, &f.Size, &f.Modified, &f.Mode, &packs, &line, &f.Changed); err != nil {
				yield(f, fmt.Errorf("read index: %w", err))
				return
			}
			f.Packs, f.Line = numbers(packs), line
			if x.knowsAll(f.Packs) && !yield(f, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(File{}, fmt.Errorf("read index: %w", err))
		}
	}
}

// PutFiles adds files whose bytes lie in packs of the index.
func (x *Index) PutFiles(files []manifest.File) error {
	if len(files) == 0 {
		return nil
	}
	return x.change(func(tx *sql.Tx) error { return putFiles(tx, files) })
}

func putFiles(tx *sql.Tx, files []manifest.File) error {
	insert, err := tx.Prepare(`INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?,?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range files {
		f := &files[i]
		line, err := manifest.Line{File: f}.Append(nil)
		if err != nil {
			return err
		}
		var packs []byte
		for _, e := range f.Extents {
			packs = binary.LittleEndian.AppendUint32(packs, e.Pack)
		}
		if packs == nil {
			packs = []byte{}
		}
		_, err = insert.Exec(f.Part, f.Path, f.Size, Nanoseconds(f.Modified), uint32(f.Mode), packs, line,
			Nanoseconds(f.Changed))
		if err != nil {
			return err
		}
	}
	return nil
}

// IsFolder reports whether the line is that of a folder, without parsing the line: a
// quote within a text of the line has a backslash before it.
func (f File) IsFolder() bool { return bytes.Contains(f.Line, []byte(`"folder":true`)) }

// ForgetFiles removes files that the instance no longer has.
func (x *Index) ForgetFiles(part manifest.Part, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	return x.change(func(tx *sql.Tx) error {
		for _, path := range paths {
			if _, err := tx.Exec(`DELETE FROM files WHERE part=? AND path=?`, part, path); err != nil {
				return err
			}
		}
		return nil
	})
}
