package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdfast/instance/postgres/catalog"
	"holdfast/instance/postgres/client"
	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// schema reads a script of the schema. A script that no restore takes is an error now: at
// the restore, nobody could mend the old database.
func (v *View) schema(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := v.dump(ctx, strings.TrimSuffix(name, ".sql"))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, psql.MaxScript+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if err := psql.CheckText(name, string(text)); err != nil {
		return nil, &remedy.Error{Kind: remedy.Source, Err: err,
			What: fmt.Sprintf("%s: no restore would take the schema", v.db),
			Fix:  "drop the object, or move the object to another database: GoToSocial did not make the object"}
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// dump streams a section of the schema as pg_dump prints it. The text is the same
// every night.
func (v *View) dump(ctx context.Context, section string) (io.ReadCloser, error) {
	args := []string{
		"--section=" + section, "--snapshot=" + v.snapshot, "--no-owner", "--no-privileges", "--no-tablespaces",
		"--no-publications", "--no-subscriptions", "--no-blobs", "--no-security-labels", "--no-password", "--encoding=UTF8",
		// Another session may wait for an exclusive lock, behind the view's own locks.
		"--lock-wait-timeout=20s",
	}
	options, err := client.Options(ctx, v.pgDump)
	if err != nil {
		return nil, err
	}
	// An extension that only a superuser may make, and that nothing needs, must not
	// end a restore. Before version 14 pg_dump always prints all extensions.
	if options.Has("--extension") {
		args = append(args, catalog.OnlyNeeded(v.extensions)...)
	}
	conn, err := v.db.connect(ctx)
	if err != nil {
		return nil, err
	}
	// pg_dump sets no time zone, and the zone shows in default values of the schema.
	if _, err := conn.Exec(ctx, "SET timezone = 'UTC'"); err != nil {
		return nil, errors.Join(v.db.explain(err), conn.Close(context.WithoutCancel(ctx)))
	}
	h, err := hijack(ctx, conn)
	if err != nil {
		return nil, v.db.explain(err)
	}
	return client.Run(ctx, client.Command{
		Program: v.pgDump, Args: args, Path: v.path, FixDenied: v.db.fixReading(), FixOther: v.db.standbyFix(),
	}, h)
}
