package machine

import "strings"

// isBelow reports whether a path lies below a folder.
func isBelow(path, folder string) bool {
	return folder != "" && strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}
