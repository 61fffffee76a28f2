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

// thoroughUpTo is the size of a database, in bytes, up to which every check is
// affordable. integrity_check looks up each row in each index: 10 s of CPU for
// 576 MiB, and a 16 MiB cache, where quick_check takes 1 s and 2 MiB.
const thoroughUpTo = 128 << 20

// Check checks a file that no other process uses, without writing.
func Check(ctx context.Context, file string) (note string, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	c, err := open(file, readAlone)
	if err != nil {
		return "", err
	}
	defer c.close()
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

// Damage is an error of SQLite, as a [DamageError] where the file is to blame:
// not the disk, nor a lack of room or memory.
func Damage(err error, findings ...string) error {
	var broken *Error
	if errors.As(err, &broken) && (broken.code&0xff == sqlite3.SQLITE_CORRUPT || broken.code&0xff == sqlite3.SQLITE_NOTADB) {
		return gotosocial.Damaged(append(findings, broken.text)...)
	}
	return err
}

// Uncache marks remote media as not cached, as the server's own cleaner does,
// and returns how many. The file's journal mode stays as it is.
func Uncache(ctx context.Context, file string) (n int64, err error) {
	c, err := open(file, readWrite)
	if err != nil {
		return 0, err
	}
	defer func() {
		// The last connection writes the log into the file and removes it.
		err = errors.Join(err, c.close())
		if err == nil {
			err = noneLeft(file)
		}
	}()
	// Alone with the file: no shared memory beside it.
	for _, pragma := range []string{"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA synchronous=FULL"} {
		if err := c.exec(ctx, pragma); err != nil {
			return 0, err
		}
	}
	for _, remote := range []struct{ table, column, where string }{
		{"media_attachments", "remote_url", "COALESCE(remote_url,'')<>''"},
		{"emojis", "domain", "domain IS NOT NULL"},
	} {
		has, err := c.number(ctx, "SELECT count(*) FROM pragma_table_info(?) WHERE name IN ('cached',?)", remote.table, remote.column)
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

func noneLeft(file string) error {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(file + suffix); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s%s is still there: the disk is full, or another process has the database open", file, suffix)
		}
	}
	return nil
}
