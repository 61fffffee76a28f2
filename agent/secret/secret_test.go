package secret

import (
	"testing"

	"holdfast/internal/testkit"
)

func TestCommandOfASecretSeesNoOtherSecret(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
	t.Setenv("HOME", "/home/of-a-person")
	got, err := Source("cmd:echo $AWS_SECRET_ACCESS_KEY-$HOME").Read(t.Context(), func(string) {})
	testkit.OK(t, err)
	if want := "-/home/of-a-person"; got != want {
		t.Errorf("the command prints %q, want %q", got, want)
	}
}
