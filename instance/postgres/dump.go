package postgres

import (
	"context"
	"errors"
	"io"

	"holdfast/instance/postgres/catalog"
	"holdfast/instance/postgres/client"
)

// dump streams a section of the schema as pg_dump prints it. The text is the same
// every night.
func (v *View) dump(ctx context.Context, section string) (io.ReadCloser, error) {
	args := []string{
		"--section=" + section, "--snapshot=" + v.snapshot, "--no-owner", "--no-privileges", "--no-tablespaces",
		"--no-publications", "--no-subscriptions", "--no-password", "--encoding=UTF8",
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
