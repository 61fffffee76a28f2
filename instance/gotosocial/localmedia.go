package gotosocial

// LocalMedia are the storage keys of local media, as `gotosocial admin media
// list-attachments --local-only` and `list-emojis --local-only` select them. Both
// engines read it.
const LocalMedia = `
	SELECT file_path FROM media_attachments WHERE COALESCE(remote_url,'')='' AND file_path<>'' UNION
	SELECT thumbnail_path FROM media_attachments WHERE COALESCE(remote_url,'')='' AND thumbnail_path<>'' UNION
	SELECT image_path FROM emojis WHERE COALESCE(image_remote_url,'')='' AND image_path<>'' UNION
	SELECT image_static_path FROM emojis WHERE COALESCE(image_remote_url,'')='' AND image_static_path<>''`
