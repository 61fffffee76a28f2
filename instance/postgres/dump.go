package postgres

import (
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

// schema reads a script of the schema, and notes a script that no restore takes: a person
// can still mend the database. The snapshot has the script as it is, because a newer
// Holdfast may take the script.
func (v *View) schema(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := v.dump(ctx, strings.TrimSuffix(name, ".sql"))
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	n, err := io.Copy(&text, io.LimitReader(r, psql.MaxScript+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if n > psql.MaxScript {
		return nil, &remedy.Error{Kind: remedy.Source,
			What: fmt.Sprintf("%s: the schema has more than %d MiB", v.db, psql.MaxScript>>20),
			Fix:  "find out what made so many objects: GoToSocial's own schema has less than 1 MiB"}
	}
	if err := psql.CheckText(name, text.String()); err != nil {
		v.refused.Add(err.Error())
	}
	return io.NopCloser(strings.NewReader(text.String())), nil
}

// dump streams a section of the schema as pg_dump prints it. The text is the same
// every night.
func (v *View) dump(ctx context.Context, section string) (io.ReadCloser, error) {
	args := []string{
		"--section=" + section, "--snapshot=" + v.snapshot, "--no-owner", "--no-privileges", "--no-tablespaces",
		"--no-publications", "--no-subscriptions", "--no-blobs", "--no-security-labels",
		"--no-password", "--encoding=UTF8",
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
	// pg_dump keeps these settings of the session, and they show in its text: the time zone
	// in default values, and the others in each string and name.
	const plain = "SET timezone = 'UTC'; SET standard_conforming_strings = on; SET quote_all_identifiers = off"
	if err := execute(ctx, conn, plain); err != nil {
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
