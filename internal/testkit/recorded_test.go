package testkit_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

func TestRecordedMediaAreTheOnesThatGoToSocialLists(t *testing.T) {
	for engine, recorded := range map[string]testkit.Recorded{
		"sqlite": testkit.RecordedSQLite, "postgres": testkit.RecordedPostgres,
	} {
		dir := t.TempDir()
		recorded.Unpack(t, dir)
		media := recorded.Media(t)
		var listed []string
		for _, command := range []string{"list-attachments", "list-emojis"} {
			output := testkit.Read(t, filepath.Join("testdata/gotosocial/expected", engine, command+".local-only.txt"))
			for line := range strings.Lines(string(output)) {
				listed = append(listed, strings.TrimPrefix(strings.TrimSpace(line), "storage/"))
			}
		}
		slices.Sort(listed)
		if got := slices.Sorted(maps.Keys(media)); !slices.Equal(got, listed) || len(got) < 100 {
			t.Errorf("%s: %d media, GoToSocial lists %d", engine, len(got), len(listed))
		}
		for key, sum := range media {
			if testkit.Sum(t, filepath.Join(dir, "storage", key)) != sum {
				t.Errorf("%s: %s has other bytes", engine, key)
			}
		}
	}
}
