package remedy_test

import (
	"testing"

	"holdfast/remedy"
)

func TestDidYouMeanNamesCloseWordsOnly(t *testing.T) {
	words := []string{"backup", "list", "ls", "restore"}
	for unknown, want := range map[string]string{
		"bakcup": "; did you mean backup?",
		"res":    "; did you mean restore?",
		"lst":    "; did you mean list or ls?",
		"tree":   "",
		"":       "",
	} {
		if got := remedy.DidYouMean(remedy.Near(unknown, words)); got != want {
			t.Errorf("%q: %q, want %q", unknown, got, want)
		}
	}
}
