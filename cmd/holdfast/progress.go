package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"holdfast/vault"
)

// watch runs do and shows its progress meanwhile: on a terminal by one line
// that keeps itself up to date, elsewhere by a line for each stage.
func (a *app) watch(ctx context.Context, moved string, p *vault.Progress, do func(context.Context) error) error {
	file, _ := a.err.(*os.File)
	terminal := file != nil && term.IsTerminal(int(file.Fd()))
	if a.quiet || a.json || a.progress == "none" || !terminal && a.progress == "auto" && file == nil {
		return do(ctx)
	}
	v := &view{p: p, moved: moved}
	show := v.plain
	if terminal && a.progress == "auto" {
		show = v.live
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			v.width = width
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	done := make(chan struct{})
	g.Go(func() error {
		defer close(done)
		return do(gctx)
	})
	g.Go(func() error {
		ticker := time.NewTicker(time.Second / 5)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				if v.shown {
					fmt.Fprint(a.err, "\r\x1b[K")
				}
				a.live.Store(false)
				return nil
			case <-ticker.C:
				fmt.Fprint(a.err, show())
				a.live.Store(v.shown)
			}
		}
	})
	return g.Wait()
}

// view is what of a progress is on the screen.
type view struct {
	p     *vault.Progress
	moved string // "uploaded" or "fetched"
	width int
	stage string
	since time.Time // the stage's begin
	shown bool      // a line without its end is on the screen
}

// plain returns a line for each new stage.
func (v *view) plain() string {
	if !v.entered() {
		return ""
	}
	text := v.stage
	if total := v.p.BytesTotal.Load(); total > 0 {
		text += ": " + size(total)
	} else if total := v.p.FilesTotal.Load(); total > 0 {
		text += ": " + count(total, "file")
	}
	return text + "\n"
}

// live returns the line that replaces the one on the screen.
func (v *view) live() string {
	v.entered()
	if v.stage == "" {
		return ""
	}
	v.shown = true
	line := v.line()
	if v.width > 1 && len([]rune(line)) >= v.width {
		line = string([]rune(line)[:v.width-1])
	}
	return "\r" + line + "\x1b[K"
}

// entered notes the stage, and reports whether it is a new one.
func (v *view) entered() bool {
	stage := v.p.Stage.Load()
	if stage == nil || *stage == v.stage {
		return false
	}
	v.stage, v.since = *stage, time.Now()
	return true
}

func (v *view) line() string {
	bytes, total := v.p.Bytes.Load(), v.p.BytesTotal.Load()
	files, filesTotal := v.p.Files.Load(), v.p.FilesTotal.Load()
	fields := []string{fmt.Sprintf("%-9s", v.stage)}
	switch {
	case total > 0:
		fields = append(fields, fmt.Sprintf("%3d %%  %s of %s", min(100, 100*bytes/total), size(bytes), size(total)))
	case filesTotal > 1 && bytes > 0:
		fields = append(fields, fmt.Sprintf("%3d %%  %s", min(100, 100*files/filesTotal), size(bytes)))
	case bytes > 0:
		fields = append(fields, size(bytes))
	}
	switch {
	case filesTotal > 1:
		fields = append(fields, fmt.Sprintf("%d of %s", files, count(filesTotal, "file")))
	case files > 1:
		fields = append(fields, count(files, "file"))
	}
	if n := v.p.Moved.Load(); n > 0 {
		fields = append(fields, size(n)+" "+v.moved)
	}
	if spent := time.Since(v.since); spent > time.Second && bytes > 0 {
		fields = append(fields, size(int64(float64(bytes)/spent.Seconds()))+"/s")
		switch {
		case total > 0:
			fields = append(fields, left(spent, bytes, total)...)
		case files > 0:
			// How large the media are is known only when each was looked at.
			fields = append(fields, left(spent, files, filesTotal)...)
		}
	}
	return strings.Join(fields, "  ")
}

// left is the time that is left, if it goes on as it went.
func left(spent time.Duration, done, total int64) []string {
	if done >= total {
		return nil
	}
	return []string{took(time.Duration(float64(spent)*float64(total-done)/float64(done))) + " left"}
}

// frugal keeps memory small: the server beside us needs it more. The
// environment's GOMEMLIMIT and GOGC win.
func frugal() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(96 << 20)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(100)
	}
}
