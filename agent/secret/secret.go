// Package secret reads secrets from files, variables, credentials and commands.
package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/disk"
	"holdfast/internal/child"
	"holdfast/remote"
	"holdfast/seal"
)

// Source says where to find a secret, and never holds the secret itself:
//
//	file:PATH   the contents of a file
//	env:NAME    an environment variable
//	cred:NAME   a systemd credential, $CREDENTIALS_DIRECTORY/NAME
//	cmd:LINE    the output of a shell line
//
// White space around a secret is dropped.
type Source string

// Valid reports whether s says where to find a secret.
func (s Source) Valid() bool {
	kind, rest, _ := strings.Cut(string(s), ":")
	return rest != "" && slices.Contains([]string{"file", "env", "cred", "cmd"}, kind)
}

// Check refuses a setting with the secret itself. The error does not quote the
// secret. An empty setting passes.
func (s Source) Check(key string) error {
	if s == "" || s.Valid() {
		return nil
	}
	return fmt.Errorf("%s holds the secret itself: put the secret into a file that only Holdfast's user can "+
		"read (chmod 600), and write %s: \"file:/PATH\" (or env:NAME, cred:NAME, cmd:LINE); "+
		"then replace the secret, if others could read the secret",
		key, key[strings.LastIndex(key, ".")+1:])
}

// CheckSetting is Check for a setting of a configuration file, where a relative path
// would lead to another file in each folder.
func (s Source) CheckSetting(key string) error {
	if err := s.Check(key); err != nil {
		return err
	}
	if s != s.Absolute() {
		return fmt.Errorf("%s: path %q is relative: write an absolute path", key, s)
	}
	return nil
}

// Absolute returns s with an absolute path.
func (s Source) Absolute() Source {
	if path, ok := strings.CutPrefix(string(s), "file:"); ok {
		if abs, err := filepath.Abs(path); err == nil {
			return Source("file:" + abs)
		}
	}
	return s
}

// String hides a shell line: the line may hold a secret.
func (s Source) String() string {
	if strings.HasPrefix(string(s), "cmd:") {
		return "cmd:…"
	}
	return string(s)
}

// maxCommand bounds the time of a command. A password manager may wait for a person.
const maxCommand = 5 * time.Minute

// maxSecret bounds a secret, in bytes.
const maxSecret = 64 << 10

// Read returns the secret. Read calls warn if every user can read the file.
func (s Source) Read(ctx context.Context, warn func(string)) (string, error) {
	kind, rest, _ := strings.Cut(string(s), ":")
	var text []byte
	var err error
	switch kind {
	case "env":
		text = []byte(os.Getenv(rest))
	case "cred":
		text, err = readCredential(rest)
	case "cmd":
		cmd := child.Shell(ctx, rest)
		out := child.Head{Left: maxSecret + 1}
		cmd.Stdout, cmd.Stderr = &out, os.Stderr
		if err = child.Finish(cmd, maxCommand); err != nil {
			err = fmt.Errorf("the command: %w", err)
		}
		if text = out.Text; len(text) > maxSecret {
			err = &disk.TooLarge{Path: "the output", Most: maxSecret}
		}
	default:
		var open bool
		if text, open, err = readSecretFile(rest); open {
			warn(fmt.Sprintf("every user of this machine can read the secret in %s: chmod 600 %s", rest, rest))
		}
	}
	if text = bytes.TrimSpace(text); err == nil && len(text) == 0 {
		err = errors.New("the secret is empty")
	}
	if tooLarge := (*disk.TooLarge)(nil); errors.As(err, &tooLarge) {
		err = fmt.Errorf("%w, and a secret is shorter: name the right file or command", err)
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", s, err)
	}
	return string(text), nil
}

// ReadKey reads an S3 key. An editor may have saved the file with a byte order mark.
func (s Source) ReadKey(ctx context.Context, warn func(string)) (string, error) {
	text, err := s.Read(ctx, warn)
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(seal.PlainText([]byte(text)))
	if err := remote.CheckKey(text); err != nil {
		return "", fmt.Errorf("%s %w", s, err)
	}
	return text, nil
}

func readCredential(name string) ([]byte, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil, fmt.Errorf("CREDENTIALS_DIRECTORY is not set: only a systemd service with LoadCredential=%s has it",
			name)
	}
	text, _, err := readSecretFile(filepath.Join(dir, filepath.Base(name)))
	return text, err
}

// readSecretFile also reports whether the file is open to all users.
func readSecretFile(path string) (text []byte, open bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	text, err = disk.ReadAtMost(f, path, maxSecret)
	return text, info.Mode().Perm()&0o004 != 0, err
}
