package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// secret says where a secret is, never what it is:
//
//	file:PATH   the contents of a file
//	env:NAME    an environment variable
//	cred:NAME   a systemd credential, $CREDENTIALS_DIRECTORY/NAME
//	cmd:LINE    what a shell line prints
//
// White space around it doesn't count.
type secret string

// check refuses the secret itself. It is never quoted.
func (s secret) check(key string) error {
	kind, rest, ok := strings.Cut(string(s), ":")
	switch {
	case s == "":
		return nil
	case ok && rest != "" && (kind == "file" || kind == "env" || kind == "cred" || kind == "cmd"):
		return nil
	}
	return fmt.Errorf("%s holds the secret itself: put it into a file that only its reader can read (chmod 600), and write %s: \"file:/PATH\" (or env:NAME, cred:NAME, cmd:LINE); then make a new key pair, if others could read this file",
		key, key[strings.LastIndex(key, ".")+1:])
}

// absolute is the secret's place as it is from any working directory.
func (s secret) absolute() secret {
	if path, ok := strings.CutPrefix(string(s), "file:"); ok {
		if abs, err := filepath.Abs(path); err == nil {
			return secret("file:" + abs)
		}
	}
	return s
}

// String is where the secret is. A command line may hold one itself.
func (s secret) String() string {
	if strings.HasPrefix(string(s), "cmd:") {
		return "cmd:…"
	}
	return string(s)
}

// maxSecret bounds a secret, in bytes.
const maxSecret = 64 << 10

// read returns the secret, and a warning where others can read it too.
func (s secret) read(ctx context.Context) (value, warning string, err error) {
	kind, rest, _ := strings.Cut(string(s), ":")
	var text []byte
	switch kind {
	case "env":
		text = []byte(os.Getenv(rest))
	case "cred":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", "", fmt.Errorf("read %s: CREDENTIALS_DIRECTORY is not set: only a systemd service with LoadCredential=%s has it", s, rest)
		}
		text, _, err = readSecretFile(filepath.Join(dir, filepath.Base(rest)))
	case "cmd":
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", rest)
		cmd.Stderr = os.Stderr
		if text, err = cmd.Output(); err != nil {
			err = fmt.Errorf("its command: %w", err)
		}
	default:
		text, warning, err = readSecretFile(rest)
	}
	if text = bytes.TrimSpace(text); err == nil && len(text) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w", s, err)
	}
	return string(text), warning, nil
}

func readSecretFile(path string) (text []byte, warning string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	if info.Mode().Perm()&0o004 != 0 {
		warning = fmt.Sprintf("every user of this machine can read the secret in %s: chmod 600 %s", path, path)
	}
	text, err = io.ReadAll(io.LimitReader(f, maxSecret))
	return text, warning, err
}
