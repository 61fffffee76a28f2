package client

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/internal/child"
	"holdfast/remedy"
)

// Help is what a program prints about its options.
type Help []byte

// Options asks a program for its options.
func Options(ctx context.Context, program string) (Help, error) {
	help, err := child.Ask(ctx, program, "--help")
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Source, What: "dump database: " + program + " --help", Err: err,
			Fix: fixProgram(program)}
	}
	return help, nil
}

// Has reports whether the program has an option.
func (h Help) Has(option string) bool { return bytes.Contains(h, []byte(option)) }

// Command is a run of pg_dump.
type Command struct {
	Program   string
	Args      []string
	Path      string // the search path of the output: quoted schemas
	FixDenied string // the fix if the database user lacks a right
	FixOther  string // follows the fix of all other errors
}

// Run starts a pg_dump that reaches the server through the connection, and returns
// its output. The output ends in io.EOF only if pg_dump succeeded and wrote a complete
// dump. A silent pg_dump is ended. Closing the output ends pg_dump. Run owns the
// connection.
func Run(ctx context.Context, c Command, conn *pgconn.HijackedConn) (io.ReadCloser, error) {
	r, err := openRelay(conn)
	if err != nil {
		return nil, err
	}
	o := &output{
		denied: c.FixDenied, other: c.FixOther, messages: child.Head{Left: 4 << 10}, relay: r,
		cmd: child.Command(ctx, c.Program, c.Args...),
	}
	o.cmd.Env, o.cmd.Stderr = append(o.cmd.Env, r.environment()...), &o.messages
	if o.out, err = o.cmd.StdoutPipe(); err == nil {
		err = o.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run pg_dump: %w", err), r.close())
	}
	o.silence = watchSilence(maxSilence, func() {
		o.cmd.Process.Kill()
		o.out.Close() // a child of pg_dump may hold the other end
	})
	r.alive.Store(o.silence)
	return &script{lines: bufio.NewReader(o), output: o, path: setPath(c.Path), fix: fixProgram(c.Program)}, nil
}

// fixProgram is the fix for a pg_dump that does not work.
func fixProgram(path string) string {
	return fmt.Sprintf("run %s --schema-only by hand to see the reason, or install PostgreSQL's own pg_dump", path)
}

// output is the output of a running pg_dump. Read returns io.EOF only if
// pg_dump succeeded.
type output struct {
	cmd      *exec.Cmd
	relay    *relay
	out      io.ReadCloser
	messages child.Head // pg_dump's standard error
	denied   string     // the fix if the user lacks a right
	other    string     // follows the fix of all other errors
	end      error      // io.EOF if all is read
	silence  *silence
}

func (o *output) Read(p []byte) (int, error) {
	if o.end != nil {
		return 0, o.end
	}
	o.silence.listen()
	n, err := o.out.Read(p)
	o.silence.ignore()
	if o.silence.over.Load() && n == 0 {
		o.end = cmp.Or(o.wait(), io.EOF)
		return 0, o.end
	}
	if errors.Is(err, io.EOF) {
		o.end = cmp.Or(o.wait(), io.EOF)
		err = o.end
	}
	return n, err
}

func (o *output) wait() error {
	o.silence.stop()
	err := o.cmd.Wait()
	// The exit code of pg_dump decides; an error of its connection adds nothing.
	_ = o.relay.close()
	if o.silence.over.Load() {
		return &remedy.Error{Kind: remedy.Source,
			What: fmt.Sprintf("dump database: pg_dump was silent for %s, and Holdfast ended it", maxSilence),
			Fix:  fixProgram(o.cmd.Path)}
	}
	if err == nil {
		return nil
	}
	message, _, _ := strings.Cut(strings.TrimSpace(string(o.messages.Text)), "\n")
	problem := &remedy.Error{Kind: remedy.Source, What: "dump database: " + message, Err: err,
		Fix: "look into PostgreSQL's log" + o.other}
	if strings.Contains(message, "permission denied") {
		problem.Fix = o.denied
	}
	return problem
}

// Close ends a pg_dump whose output is not read to the end.
func (o *output) Close() error {
	if o.end == nil {
		o.silence.stop()
		o.end = io.ErrClosedPipe
		o.cmd.Process.Kill()
		o.cmd.Wait()
		_ = o.relay.close() // the end of pg_dump breaks its connection
	}
	return nil
}
