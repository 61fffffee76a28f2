package child

import (
	"context"
	"fmt"
	"os/exec"
	"sync/atomic"
	"time"
)

// Patience is how long a program may take to answer a question, such as the question for its
// version. A busy machine may need some seconds to read a program from its disk.
const Patience = 30 * time.Second

// Ask runs a program that answers a question, and returns the beginning of its output.
func Ask(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := Command(ctx, program, args...)
	out := Head{Left: 64 << 10}
	cmd.Stdout = &out
	if err := Finish(cmd, Patience); err != nil {
		return nil, err
	}
	return out.Text, nil
}

// Finish runs a child to its end. A child that runs for longer than the limit is ended, and the
// error names the program.
func Finish(cmd *exec.Cmd, limit time.Duration) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	var late atomic.Bool
	timer := time.AfterFunc(limit, func() {
		late.Store(true)
		_ = cmd.Process.Kill() // the child may have ended
	})
	defer timer.Stop()
	err := cmd.Wait()
	if err != nil && late.Load() {
		return fmt.Errorf("the program %s did not end within %s, and Holdfast ended the program", cmd.Path, limit)
	}
	return err
}

// Head keeps the first Left bytes that are written, and drops all others.
type Head struct {
	Text []byte
	Left int
}

func (h *Head) Write(p []byte) (int, error) {
	kept := p[:min(len(p), h.Left)]
	h.Text, h.Left = append(h.Text, kept...), h.Left-len(kept)
	return len(p), nil
}
