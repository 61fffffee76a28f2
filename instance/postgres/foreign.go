package postgres

import (
	"fmt"
	"os"
	"slices"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/client"
	"holdfast/remedy"
)

// checkForeign keeps root from lending rights to the users who can change GoToSocial's
// configuration. Root becomes the Unix user of the database's user, for the socket, only
// if these users could do the same. Passwords of root's own, from ~/.pgpass or the
// environment, go to no server of their choice. The user and the password of Holdfast's
// own configuration are nobody else's choice.
func (d *Database) checkForeign(c *gotosocial.Config) error {
	if os.Geteuid() != 0 || c.PostgresUser != "" {
		return nil
	}
	for _, file := range append(slices.Clone(c.ServiceFiles), c.File) {
		if file == "" {
			continue
		}
		users, err := disk.Users(file)
		if err != nil {
			return err
		}
		if len(users) > 0 && !client.NamesPassword(c) {
			d.config.Password = ""
		}
		for _, uid := range users {
			if d.as != nil && int(d.as.Uid) != uid {
				return &remedy.Error{Kind: remedy.Refused,
					What: fmt.Sprintf("%s can change %s, and the database's user there is %s: root connects to a "+
						"socket as %s only for itself or for that user", disk.UserName(uid), file, d.config.User,
						d.config.User),
					Effect: "the database was not opened",
					Fix: fmt.Sprintf("check the file, then give it and its folder to root; "+
						"or run Holdfast as %s", disk.UserName(uid))}
			}
		}
	}
	return nil
}
