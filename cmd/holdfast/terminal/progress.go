package terminal

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"holdfast/internal/units"
	"holdfast/vault"
)

// Watch runs a job and shows the progress: on a terminal as a live line, elsewhere as
// a line for each stage. moved is the job's word for stored bytes: "uploaded",
// "fetched".
func (t *Terminal) Watch(ctx context.Context, moved string, p *vault.Progress, job func(context.Context) error) error {
	file, _ := t.Err.(*os.File)
	screen := file != nil && term.IsTerminal(int(file.Fd()))
	if t.Quiet || t.JSON || t.Progress == "none" || file == nil && t.Progress == "auto" {
		return job(ctx)
	}
	v := &progressView{progress: p, moved: moved}
	show := v.plain
	if screen && t.Progress == "auto" {
		show = v.live
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			v.width = width
		}
	}
	var g errgroup.Group
	done := make(chan struct{})
	g.Go(func() error {
		ticker := time.NewTicker(time.Second / 5)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				if v.shown {
					fmt.Fprint(t.Err, "\r\x1b[K")
				}
				t.live.Store(false)
				return nil
			case <-ticker.C:
				fmt.Fprint(t.Err, show())
				t.live.Store(v.shown)
			}
		}
	})
	err := job(ctx)
	close(done)
	return cmp.Or(err, g.Wait())
}

// progressView is a progress on the screen.
type progressView struct {
	progress *vault.Progress
	moved    string // "uploaded" or "fetched"
	width    int    // of the screen, in letters; 0: unknown
	stage    string
	since    time.Time // the start of the stage
	shown    bool      // an unfinished line is on the screen
}

// plain returns a line for each new stage.
func (v *progressView) plain() string {
	if !v.enterStage() {
		return ""
	}
	text := v.stage
	if total := v.progress.BytesTotal.Load(); total > 0 {
		text += ": " + units.Size(total)
	} else if total := v.progress.FilesTotal.Load(); total > 0 {
		text += ": " + units.Count(total, "file")
	}
	return text + "\n"
}

// live returns the line to replace the line on the screen.
func (v *progressView) live() string {
	v.enterStage()
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

// enterStage notes the stage, and reports whether the stage is new.
func (v *progressView) enterStage() bool {
	stage := v.progress.Stage.Load()
	if stage == nil || *stage == v.stage {
		return false
	}
	v.stage, v.since = *stage, time.Now()
	return true
}

func (v *progressView) line() string {
	bytes, total := v.progress.Bytes.Load(), v.progress.BytesTotal.Load()
	files, filesTotal := v.progress.Files.Load(), v.progress.FilesTotal.Load()
	fields := []string{fmt.Sprintf("%-9s", v.stage)}
	switch {
	case total > 0:
		fields = append(fields,
			fmt.Sprintf("%3d %%  %s of %s", min(100, 100*bytes/total), units.Size(bytes), units.Size(total)))
	case filesTotal > 1 && bytes > 0:
		fields = append(fields, fmt.Sprintf("%3d %%  %s", min(100, 100*files/filesTotal), units.Size(bytes)))
	case bytes > 0:
		fields = append(fields, units.Size(bytes))
	}
	switch {
	case filesTotal > 1:
		fields = append(fields, fmt.Sprintf("%d of %s", files, units.Count(filesTotal, "file")))
	case files > 1:
		fields = append(fields, units.Count(files, "file"))
	}
	if n := v.progress.Moved.Load(); n > 0 {
		fields = append(fields, units.Size(n)+" "+v.moved)
	}
	if spent := time.Since(v.since); spent > time.Second && bytes > 0 {
		fields = append(fields, units.Size(int64(float64(bytes)/spent.Seconds()))+"/s")
		switch {
		case total > 0:
			fields = append(fields, timeLeft(spent, bytes, total)...)
		case files > 0:
			// The size of the media is known only after a look at each file.
			fields = append(fields, timeLeft(spent, files, filesTotal)...)
		}
	}
	return strings.Join(fields, "  ")
}

// timeLeft estimates the rest of a stage from its speed so far.
func timeLeft(spent time.Duration, done, total int64) []string {
	if done >= total {
		return nil
	}
	return []string{units.Duration(time.Duration(float64(spent)*float64(total-done)/float64(done))) + " left"}
}
