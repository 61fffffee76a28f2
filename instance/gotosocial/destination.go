package gotosocial

// Destination is where a configuration puts the database or the media.
type Destination struct {
	// Name identifies the destination: a path, or a server with a name on the server.
	Name string
	// Folder is the folder on this machine that the server writes to, or "" if the
	// destination is elsewhere.
	Folder string
}
