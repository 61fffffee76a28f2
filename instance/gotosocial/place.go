package gotosocial

// Place is where a configuration puts the database or the media.
type Place struct {
	// Name tells the place from all others: a path, or a server with a name there.
	Name string
	// Folder is the folder on this machine that the server writes to, or "" if the
	// place is elsewhere.
	Folder string
}
