package instance_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"holdfast/instance"
)

// BenchmarkOpenDatabase reads a database as a backup does: 64 pages at a time.
// HOLDFAST_BENCH_INSTANCE names the folder of an instance, else it is one of
// 64 MiB.
func BenchmarkOpenDatabase(b *testing.B) {
	dir := os.Getenv("HOLDFAST_BENCH_INSTANCE")
	if dir == "" {
		dir = small(b, "WAL")
		db := openSQL(b, filepath.Join(dir, "sqlite.db"))
		if _, err := db.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<16000) INSERT " +
			"INTO debit SELECT i, randomblob(3900) FROM n"); err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
	v := begin(b, openInstance(b, dir, instance.Options{}))
	b.SetBytes(v.Database()[0].Size)
	b.ReportAllocs()
	buf := make([]byte, 64*4096)
	for b.Loop() {
		r, err := v.OpenDatabase(b.Context(), "sqlite.db")
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = io.ReadFull(r, buf)
		}
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			b.Fatal(err)
		}
		r.Close()
	}
}
