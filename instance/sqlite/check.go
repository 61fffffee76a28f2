package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/instance/gotosocial"
)

// thoroughUpTo is the size of the largest database, in bytes, that [Check] checks
// row by row. integrity_check looks up each row in each index: 576 MiB take 10 s of
// CPU and a cache of 16 MiB; quick_check takes 1 s and 2 MiB.
const thoroughUpTo = 128 << 20

// Check checks a file that no other process uses, and writes nothing. A damaged file
// is a [remedy.DamageError]. The note names the check and its time.
func Check(ctx context.Context, file string) (note string, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	c, err := open(file, readAlone)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.close() }() // the connection only reads
	pragma := "quick_check"
	if info.Size() <= thoroughUpTo {
		pragma = "integrity_check"
		if err := c.exec(ctx, "PRAGMA cache_size=-16000"); err != nil {
			return "", err
		}
	}
	start := time.Now()
	var findings []string
	err = c.each(ctx, "PRAGMA "+pragma+"(10)", nil, func(row *stmt) error {
		findings = append(findings, row.text(0))
		return nil
	})
	if err != nil {
		return "", Damage(err, findings...)
	}
	if len(findings) != 1 || findings[0] != "ok" {
		return "", gotosocial.Damaged(findings...)
	}
	return fmt.Sprintf("database: %s ok in %.1f s", pragma, time.Since(start).Seconds()), nil
}

// Damage returns a [remedy.DamageError] for an error of SQLite that shows a damaged
// file. All other errors, such as those of a full disk, stay as they are.
func Damage(err error, findings ...string) error {
	var broken *Error
	if errors.As(err, &broken) && (broken.code&0xff == sqlite3.SQLITE_CORRUPT ||
		broken.code&0xff == sqlite3.SQLITE_NOTADB) {
		return gotosocial.Damaged(append(findings, broken.text)...)
	}
	return err
}

// Uncache marks remote media as not cached, as the server's own cleaner does, and
// returns their number. The journal mode of the file does not change. When Uncache
// returns, the file is durable and has no log or journal beside it.
func Uncache(ctx context.Context, file string) (n int64, err error) {
	c, err := open(file, readWrite)
	if err != nil {
		return 0, err
	}
	defer func() {
		// The last connection moves the log into the file and removes the log.
		err = errors.Join(err, c.close())
		if err == nil {
			err = checkAlone(file)
		}
	}()
	// An exclusive connection needs no shared memory beside the file.
	for _, pragma := range []string{"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA synchronous=FULL"} {
		if err := c.exec(ctx, pragma); err != nil {
			return 0, err
		}
	}
	for _, remote := range []struct{ table, column, where string }{
		{"media_attachments", "remote_url", "COALESCE(remote_url,'')<>''"},
		{"emojis", "domain", "domain IS NOT NULL"},
	} {
		has, err := c.number(ctx, "SELECT count(*) FROM pragma_table_info(?) WHERE name IN ('cached',?)",
			remote.table, remote.column)
		if err != nil {
			return n, err
		}
		if has != 2 {
			continue
		}
		if err := c.exec(ctx, "UPDATE "+remote.table+" SET cached=false WHERE cached AND "+remote.where); err != nil {
			return n, err
		}
		changed, err := c.number(ctx, "SELECT changes()")
		if err != nil {
			return n, err
		}
		n += changed
	}
	return n, nil
}

// checkAlone returns an error if a log or journal lies beside a file.
func checkAlone(file string) error {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(file + suffix); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s%s still exists: the disk is full, or another process has the database open",
				file, suffix)
		}
	}
	return nil
}
