package disk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/internal/testkit"
)

// taken returns the room that a file takes on the disk.
func taken(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	testkit.OK(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

func TestSparseFileKeepsItsBytesAndItsHoles(t *testing.T) {
	data := make([]byte, 3<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		at := random.IntN(len(data) - 5000)
		for i := at; i < at+5000; i++ {
			data[i] = byte(random.Uint32())
		}
	}
	path := filepath.Join(t.TempDir(), "sparse")
	// An earlier try left other bytes.
	testkit.OK(t, os.WriteFile(path, bytes.Repeat([]byte("old"), 1<<20), 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	testkit.OK(t, err)
	defer f.Close()
	for at := 0; at < len(data); { // pieces of odd lengths
		n := min(1+random.IntN(400_000), len(data)-at)
		testkit.OK(t, WriteSparse(f, data[at:at+n], int64(at)))
		at += n
	}
	testkit.OK(t, f.Truncate(int64(len(data))))
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatal("the file has other bytes", err)
	}
	if n := taken(t, path); n > 1<<20 {
		t.Errorf("the file takes %d bytes of the disk", n)
	}
	copied := path + "-copied"
	place, err := os.OpenRoot(filepath.Dir(copied))
	testkit.OK(t, err)
	defer place.Close()
	testkit.OK(t, copyFile(path, place, filepath.Base(copied), -1, -1))
	got, err = os.ReadFile(copied)
	if err != nil || !bytes.Equal(got, data) || taken(t, copied) > 1<<20 {
		t.Errorf("the copy takes %d bytes of the disk, or differs, %v", taken(t, copied), err)
	}
}
