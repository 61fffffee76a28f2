package manifest

import "regexp"

// Facts describe the instance at the time of a snapshot. A zero fact is unknown.
type Facts struct {
	Engine string `json:"engine"`           // "sqlite" or "postgres"
	Server string `json:"server,omitempty"` // PostgreSQL's version
	// Collation is how the database sorts text: a locale's name, and "(icu)" after the name
	// of a collation of ICU. "" for SQLite, which sorts bytes.
	Collation string `json:"collation,omitempty"`
	User      string `json:"user,omitempty"` // "USER:GROUP" of the server, from the media's Unix owner
	// AccountDomain is the domain in the names of accounts: the instance's domain
	// or a parent domain. The server's configuration file alone may lack the setting.
	AccountDomain string `json:"account_domain,omitempty"`
	GoToSocial    string `json:"gotosocial,omitempty"` // version
	Migration     string `json:"migration,omitempty"`  // last row of bun_migrations
	Accounts      int64  `json:"accounts,omitempty"`   // local accounts without the instance's own account
	Statuses      int64  `json:"statuses,omitempty"`   // local statuses; 0 if a count would read the whole table
}

// version matches the versions of programs and the names of migrations.
var version = regexp.MustCompile(`^[-+.~_0-9A-Za-z]{1,64}$`)

// Plausible returns the facts without versions that do not look like one. Versions become parts
// of links, of commands and of advice, and a stranger may have written the snapshot.
func (f Facts) Plausible() Facts {
	for _, fact := range []*string{&f.Server, &f.GoToSocial, &f.Migration} {
		if !version.MatchString(*fact) {
			*fact = ""
		}
	}
	return f
}

// printable reports whether no fact holds a control character.
func (f *Facts) printable() bool {
	return printable(f.Engine + f.Server + f.Collation + f.User + f.AccountDomain + f.GoToSocial + f.Migration)
}
