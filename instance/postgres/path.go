package postgres

import (
	"context"
	"fmt"

	"holdfast/instance/postgres/catalog"
	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// checkPath keeps a user of Holdfast's own from reading other tables than GoToSocial does.
func (v *View) checkPath(ctx context.Context) error {
	if v.db.owner == "" {
		return nil
	}
	ours, theirs, err := catalog.Paths(ctx, v.conn, v.db.owner)
	if err != nil || theirs == "" {
		return err
	}
	config := v.db.config
	return &remedy.Error{Kind: remedy.Setting,
		What: fmt.Sprintf("PostgreSQL's user %q has the search path %s, and would read other tables than %q of "+
			"GoToSocial", config.User, ours, v.db.owner),
		Fix: fmt.Sprintf("as PostgreSQL's superuser: ALTER ROLE %s IN DATABASE %s SET search_path = %s",
			psql.QuoteName(config.User), psql.QuoteName(config.Database), theirs)}
}
