package gotosocialtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/testkit"
)

// Start starts the server and waits until the server answers. The function kill ends
// the server at once, as a crash would. The end of the test has the same effect.
func (i *Instance) Start(t testing.TB) (kill func()) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	testkit.OK(t, err)
	defer log.Close()
	cmd := i.command("server", "start")
	cmd.Stdout, cmd.Stderr = log, log
	kill = testkit.StartDaemon(t, cmd, "KILL", "")
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			text := testkit.Read(t, log.Name())
			t.Logf("GoToSocial says:\n%s", text[max(0, len(text)-4000):])
		}
	})
	if err := i.await(t.Context(), log.Name()); err != nil {
		t.Fatalf("start GoToSocial: %v", err)
	}
	i.release.keep(t, filepath.Join(i.root, i.installed))
	return kill
}

// await waits up to two minutes for the server, or until the log has the server's last
// words. A server that migrates a database answers late.
func (i *Instance) await(ctx context.Context, log string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := i.ready(ctx)
		if err == nil {
			return nil
		}
		if text, err := os.ReadFile(log); err != nil || bytes.Contains(text, []byte("error executing command")) {
			return cmp.Or(err, errors.New("the server ended"))
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("not ready within two minutes: %w", err)
		}
	}
}

// ready asks the server whether the server is ready.
func (i *Instance) ready(ctx context.Context) error {
	// A starting server accepts a connection and may never answer.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	resp, err := i.send(ctx, http.MethodGet, "/readyz", nil, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
