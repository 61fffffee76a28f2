package restored

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"holdfast/instance/gotosocial"
)

// ServerParser parses Holdfast's own configuration, as far as it tells how the server runs.
type ServerParser func(text []byte) (gotosocial.Server, error)

// Server reads Holdfast's configuration in a restored folder. Without the file, the
// result is zero.
func Server(folder fs.FS, file string, parse ServerParser) (s gotosocial.Server, err error) {
	if file == "" || parse == nil {
		return s, nil
	}
	text, err := fs.ReadFile(folder, path.Join(FilesFolder, file))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil // the restore leaves the file out
	}
	if err == nil {
		s, err = parse(text)
	}
	if err != nil {
		return gotosocial.Server{}, fmt.Errorf("read /%s, Holdfast's configuration in the snapshot: %w", file, err)
	}
	return s, nil
}
