package manifest

// Facts describe the instance at the moment of a view.
type Facts struct {
	Engine string `json:"engine"`           // "sqlite" or "postgres"
	Server string `json:"server,omitempty"` // PostgreSQL's version
	User   string `json:"user,omitempty"`   // "USER:GROUP" that the server runs as, by who owns its media
	// AccountDomain is in the names of accounts, the host's or one above it: as the
	// server saw it, which a file alone may not tell.
	AccountDomain string `json:"account_domain,omitempty"`
	GoToSocial    string `json:"gotosocial,omitempty"` // version, or "" where it can't be known
	Migration     string `json:"migration,omitempty"`  // the last applied row of bun_migrations
	Accounts      int64  `json:"accounts,omitempty"`   // local accounts, the instance's own not counted
	Statuses      int64  `json:"statuses,omitempty"`   // local statuses; 0 where counting them would mean reading the whole table
}
