package sqlite_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

// BenchmarkOpenDatabase reads a database as a backup does: 64 pages at a time.
// HOLDFAST_BENCH_INSTANCE names the folder of an instance. The default is a new
// database of 64 MiB.
func BenchmarkOpenDatabase(b *testing.B) {
	dir := os.Getenv("HOLDFAST_BENCH_INSTANCE")
	if dir == "" {
		dir = used(b, "WAL")
		db := testkit.OpenSQLite(b, filepath.Join(dir, "sqlite.db"), "")
		_, err := db.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<16000) INSERT " +
			"INTO debit SELECT i, randomblob(3900) FROM n")
		testkit.OK(b, err)
		testkit.OK(b, db.Close())
	}
	v := begin(b, open(b, dir))
	b.SetBytes(v.Database()[0].Size)
	b.ReportAllocs()
	buf := make([]byte, 64*4096)
	for b.Loop() {
		r, err := v.OpenDatabase(b.Context(), "sqlite.db")
		testkit.OK(b, err)
		for err == nil {
			_, err = io.ReadFull(r, buf)
		}
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			b.Fatal(err)
		}
		r.Close()
	}
}
