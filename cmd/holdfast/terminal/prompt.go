package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"holdfast/cmd/holdfast/problem"
	"holdfast/remedy"
)

// Ask prints a question and returns the answer, without leading or trailing space.
// In must be [Terminal.Interactive].
func (t *Terminal) Ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.Err, remedy.Redact(question))
	return t.read(ctx, func() (string, error) { return bufio.NewReader(t.In).ReadString('\n') })
}

// AskSecret is [Terminal.Ask] for an answer that the terminal does not show.
func (t *Terminal) AskSecret(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.Err, question)
	answer, err := t.read(ctx, func() (string, error) {
		text, err := term.ReadPassword(int(t.In.Fd()))
		return string(text), err
	})
	fmt.Fprintln(t.Err)
	return answer, err
}

// read reads an answer. Reading from a terminal can't be cancelled: when ctx ends,
// read restores the settings of the terminal and ends the program.
func (t *Terminal) read(ctx context.Context, line func() (string, error)) (string, error) {
	before, err := term.GetState(int(t.In.Fd()))
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() {
		term.Restore(int(t.In.Fd()), before)
		fmt.Fprintln(t.Err)
		os.Exit(problem.ExitInterrupted)
	})
	defer stop()
	answer, err := line()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimSpace(answer), err
}
