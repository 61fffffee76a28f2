package child_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"holdfast/internal/child"
)

func TestProgramThatHangsIsEndedAndNamed(t *testing.T) {
	err := child.Finish(child.Command(t.Context(), "sleep", "600"), 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "/sleep did not end within 50ms") {
		t.Errorf("%v", err)
	}
}

func TestAnswerOfAProgramIsItsOutput(t *testing.T) {
	answer, err := child.Ask(t.Context(), "echo", "version 5")
	if err != nil || string(answer) != "version 5\n" {
		t.Errorf("%q, %v", answer, err)
	}
	_, err = child.Ask(t.Context(), "false")
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		t.Errorf("a program that fails: %v", err)
	}
	endless, err := child.Ask(t.Context(), "head", "--bytes=1000000", "/dev/zero")
	if err != nil || len(endless) != 64<<10 {
		t.Errorf("%d bytes, %v", len(endless), err)
	}
}
