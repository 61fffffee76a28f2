package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/check"
	"holdfast/instance/postgres/psql"
)

// loaders is the number of tables that load at the same time.
const loaders = 2

// copyAll loads the rows of all tables and returns how many rows each has.
func (l *load) copyAll(ctx context.Context, temp *Database, lines []psql.CopyLine) (counts []int64, err error) {
	counts = make([]int64, len(lines))
	refused := make([]error, len(lines)) // the rows of a table break a check constraint
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(loaders)
	for i, line := range lines {
		g.Go(func() (err error) {
			counts[i], err = l.copy(gctx, temp, line)
			if check.IsBroken(err) {
				refused[i], err = err, nil
			}
			return l.explainTable(line, err)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return counts, l.copyRefused(ctx, temp, lines, counts, refused)
}

// copyRefused loads the tables that copyAll could not load. The function of a check constraint
// may read a table that was empty at the time. A table may need another refused table, so
// copyRefused tries again as long as it loads at least one table in each round. The other tables
// load without their check constraints.
func (l *load) copyRefused(
	ctx context.Context, temp *Database, lines []psql.CopyLine, counts []int64, refused []error,
) error {
	for loaded := true; loaded; {
		loaded = false
		for i, line := range lines {
			if refused[i] == nil {
				continue
			}
			counts[i], refused[i] = l.copy(ctx, temp, line)
			loaded = loaded || refused[i] == nil
		}
	}
	for i, line := range lines {
		if refused[i] == nil {
			continue
		}
		err := l.dropChecks(ctx, temp, line)
		if err == nil {
			counts[i], err = l.copy(ctx, temp, line)
		}
		if err != nil {
			return l.explainTable(line, err)
		}
	}
	return nil
}

// dropChecks drops the check constraints of tables until the end of the load.
func (l *load) dropChecks(ctx context.Context, temp *Database, lines ...psql.CopyLine) error {
	conn, err := l.connectByPath(ctx, temp)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tables := make([]string, len(lines))
	for i, line := range lines {
		tables[i] = line.Table
	}
	dropped, err := check.Drop(ctx, conn, tables)
	l.dropped = append(l.dropped, dropped...)
	return err
}

// addChecks makes the dropped check constraints again.
func (l *load) addChecks(ctx context.Context, temp *Database) (open []check.Constraint, err error) {
	if len(l.dropped) == 0 {
		return nil, nil
	}
	conn, err := l.connectByPath(ctx, temp)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return check.Add(ctx, conn, l.dropped)
}

// explainTable names the table whose rows did not load.
func (l *load) explainTable(line psql.CopyLine, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("table %s: %w", line.Table, l.db.explainLoad(err))
}

// connectByPath opens a connection that finds GoToSocial's tables: the function of a check
// constraint may name an object without a schema.
func (l *load) connectByPath(ctx context.Context, temp *Database) (*pgx.Conn, error) {
	conn, err := temp.connectToLoad(ctx)
	if err != nil || l.path == "" {
		return conn, err
	}
	if err := execute(ctx, conn, "SET search_path = "+l.path); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// copy loads the rows of one table. The transaction empties the table first: then
// PostgreSQL skips the write-ahead log if no replica needs the log, and never has
// to rewrite the rows (FREEZE).
func (l *load) copy(ctx context.Context, temp *Database, line psql.CopyLine) (int64, error) {
	conn, err := l.connectByPath(ctx, temp)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	f, err := l.files.Open(line.File)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	const settings = "BEGIN; SET LOCAL client_encoding = 'UTF8'; SET LOCAL datestyle = 'ISO, YMD'; " +
		"SET LOCAL intervalstyle = 'postgres'; SET LOCAL statement_timeout = 0; "
	if err := execute(ctx, conn, settings+"TRUNCATE ONLY "+line.Table); err != nil {
		return 0, err
	}
	lines := &lineCounter{r: f}
	tag, err := conn.PgConn().CopyFrom(ctx, lines, "COPY "+line.Table+" "+line.Columns+" FROM STDIN WITH (FREEZE)")
	if err != nil {
		return 0, err
	}
	if tag.RowsAffected() != lines.n {
		return 0, gotosocial.Damaged(fmt.Sprintf("%s has %d lines, but PostgreSQL took %d rows",
			line.File, lines.n, tag.RowsAffected()))
	}
	return lines.n, execute(ctx, conn, "COMMIT")
}

// lineCounter counts the lines that it reads. COPY prints one row on each line.
type lineCounter struct {
	r io.Reader
	n int64
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(bytes.Count(p[:n], []byte{'\n'}))
	return n, err
}
