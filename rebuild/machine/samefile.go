package machine

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"os"

	"holdfast/disk"
	"holdfast/manifest"
)

// isSameFile reports whether path is the snapshot's file or link.
func isSameFile(path string, info fs.FileInfo, file manifest.File) bool {
	link, err := os.Readlink(path)
	if file.Link != "" || err == nil {
		return link == string(file.Link)
	}
	return info.Size() == file.Size && hasSum(path, file.SHA256)
}

// hasSum reports whether a file has the hash of the snapshot's file.
func hasSum(path string, want *manifest.Hash) bool {
	if want == nil {
		return false
	}
	f, err := disk.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return err == nil && manifest.Hash(sum.Sum(nil)) == *want
}
