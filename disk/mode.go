package disk

import (
	"encoding/binary"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Extended attributes with POSIX ACLs. Their format is that of Linux's
// include/uapi/linux/posix_acl_xattr.h: a version, then entries of 8 bytes.
const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"

	aclVersion  = 2
	aclGroupObj = 0x04
	aclMask     = 0x10
)

// PlainMode returns the permission bits of a file without its ACL, and reports whether
// the file has an ACL. With an ACL the middle digit of the mode is the mask of the ACL:
// the most that any further user may do. The file's group may do less. A file that
// comes back without the ACL must not show the group more than before.
//
// PlainMode follows links. info is that of the file. A sticky folder without the sticky
// bit would let each user delete the files of others: then group and others lose the
// right to write.
func PlainMode(path string, info fs.FileInfo) (mode fs.FileMode, hasACL bool) {
	mode = info.Mode().Perm()
	if info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
		mode &^= 0o022
	}
	var few [1 << 10]byte
	acl := few[:]
	n, err := unix.Getxattr(path, accessACL, acl)
	if errors.Is(err, unix.ERANGE) {
		acl = make([]byte, 64<<10) // Linux's limit, XATTR_SIZE_MAX
		n, err = unix.Getxattr(path, accessACL, acl)
	}
	if err == nil {
		group, hasMask := groupOf(acl[:n])
		if hasMask {
			return mode&^0o070 | mode&(group<<3), true
		}
	}
	if info.IsDir() {
		n, err := unix.Getxattr(path, defaultACL, nil)
		return mode, err == nil && n > 0
	}
	return mode, false
}

// HasCapabilities reports whether a program has rights of root (capabilities(7)), for example to
// listen on port 443.
func HasCapabilities(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

// groupOf returns the rights of the file's group in an ACL with a mask. Without a mask
// the mode says as much as the ACL.
func groupOf(acl []byte) (group fs.FileMode, hasMask bool) {
	if len(acl) < 4 || binary.LittleEndian.Uint32(acl) != aclVersion {
		return 0, false
	}
	for entry := acl[4:]; len(entry) >= 8; entry = entry[8:] {
		rights := fs.FileMode(binary.LittleEndian.Uint16(entry[2:])) & 7
		switch binary.LittleEndian.Uint16(entry) {
		case aclGroupObj:
			group = rights
		case aclMask:
			hasMask = true
		}
	}
	return group, hasMask
}
