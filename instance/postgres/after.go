package postgres

// Folder is the folder of what psql restores a database from.
const Folder = "database"

// AfterRestore marks remote media as not cached, once everything is loaded.
const (
	AfterFile    = "after-restore.sql"
	AfterRestore = "-- No backup holds remote media. The server fetches them again, if they are not marked as cached.\n" +
		"UPDATE media_attachments SET cached = false WHERE cached AND coalesce(remote_url, '') <> '';\n" +
		"UPDATE emojis SET cached = false WHERE cached AND domain IS NOT NULL;\n"
)
