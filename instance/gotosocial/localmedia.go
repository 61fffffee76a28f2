package gotosocial

// LocalMedia is the SQL that selects the storage keys of local media, as do
// `gotosocial admin media list-attachments --local-only` and `list-emojis
// --local-only`. Both engines understand the SQL.
const LocalMedia = `
	SELECT file_path FROM media_attachments WHERE COALESCE(remote_url,'')='' AND file_path<>'' UNION
	SELECT thumbnail_path FROM media_attachments WHERE COALESCE(remote_url,'')='' AND thumbnail_path<>'' UNION
	SELECT image_path FROM emojis WHERE COALESCE(image_remote_url,'')='' AND image_path<>'' UNION
	SELECT image_static_path FROM emojis WHERE COALESCE(image_remote_url,'')='' AND image_static_path<>''`
