package terminal

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/testkit"
	"holdfast/vault"
)

func TestLineTellsBytesFilesRateAndTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(vault.Progress)
		v := &progressView{progress: p, moved: "uploaded", width: 200}
		if got := v.live(); got != "" {
			t.Errorf("before the first stage: %q", got)
		}
		stage := "media"
		p.Stage.Store(&stage)
		v.live()
		p.FilesTotal.Store(2000)
		p.BytesTotal.Store(400 << 20)
		time.Sleep(10 * time.Second)
		p.Files.Store(500)
		p.Bytes.Store(100 << 20)
		p.Moved.Store(30 << 20)
		const want = "\rmedia       25 %  100 MiB of 400 MiB  500 of 2,000 files  30 MiB uploaded  10 MiB/s  " +
			"30 s left\x1b[K"
		if got := v.live(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		// Without a total of bytes, the files tell how long it takes.
		p.BytesTotal.Store(0)
		const byFiles = "\rmedia       25 %  100 MiB  500 of 2,000 files  30 MiB uploaded  10 MiB/s  30 s left\x1b[K"
		if got := v.live(); got != byFiles {
			t.Errorf("%q, want %q", got, byFiles)
		}
		p.BytesTotal.Store(400 << 20)
		v.width = 20
		if got := v.live(); got != "\rmedia       25 %  1\x1b[K" {
			t.Errorf("on a narrow terminal: %q", got)
		}
	})
}

func TestTerminalShowsALineAndClearsIt(t *testing.T) {
	screen, tty := pty(t)
	terminal := New(tty, tty, tty)
	p := new(vault.Progress)
	seen := bufio.NewReader(screen)
	err := terminal.Watch(t.Context(), "uploaded", p, func(context.Context) error {
		stage := "database"
		p.Stage.Store(&stage)
		// The job ends when the line was on the screen, however long that takes.
		line, err := seen.ReadString('K')
		if !strings.HasPrefix(line, "\rdatabase") {
			t.Errorf("%q, %v", line, err)
		}
		return err
	})
	testkit.OK(t, err)
	fmt.Fprintln(tty, "done")
	rest, err := seen.ReadString('\n')
	if err != nil || !strings.HasSuffix(rest, "\r\x1b[Kdone\r\n") {
		t.Errorf("%q, %v", rest, err)
	}
}
