package problem

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/vault"
)

// cause looks an error up in the table of causes.
func cause(err error) (kind remedy.Kind, fix string) {
	if damage := (*remedy.DamageError)(nil); errors.As(err, &damage) {
		return remedy.Damage, damageFix(damage)
	}
	if call := (*os.SyscallError)(nil); errors.As(err, &call) && call.Syscall == "getwd" {
		return remedy.Setting, "the current folder is deleted or closed to this user: " +
			"change (cd) to another folder, then run the command again"
	}
	for _, c := range causes {
		if errors.Is(err, c.err) && (c.err == unix.ENOSPC || c.err == unix.EDQUOT) {
			return c.kind, fullFix(err, c.fix)
		}
		if errors.Is(err, c.err) {
			return c.kind, c.fix
		}
	}
	return remedy.Unexpected, ""
}

// fullFix names the full disk, if the error has a path.
func fullFix(err error, otherwise string) string {
	file := (*fs.PathError)(nil)
	if !errors.As(err, &file) {
		return otherwise
	}
	fix := "make room on the disk of " + file.Path + ", then run the command again"
	if disk.Around(file.Path, os.TempDir()) != "" {
		fix += "; or name a folder on another disk by the variable TMPDIR"
	}
	return fix
}

// damageFix says how to restore in spite of damage.
func damageFix(damage *remedy.DamageError) string {
	if damage.Lost == nil {
		return mendFix
	}
	rest := "or run the command again with --salvage, which restores everything but the files above"
	if damage.Database {
		rest = "--only media,files --salvage restores the rest of this snapshot into another folder"
	}
	other := "no other snapshot is whole"
	if damage.Whole != "" {
		other = "or restore another snapshot into another folder: the newest whole one is " + damage.Whole
	}
	return "copy the damaged objects back from a mirror and run the command again; " + other + "; " +
		rest + "; holdfast verify --data all names all damaged objects"
}

// mendFix is the fix for a database with damage from before the backup.
const mendFix = "restore an earlier snapshot; or restore this one with --verbatim into another folder, " +
	"or only its database with holdfast cat SNAP database/sqlite.db, " +
	"and mend the database with sqlite3's REINDEX or .recover"

// causes gives errors of the packages below a kind and a fix. The first matching row
// decides. A row has no fix if the error's own text names the fix.
var causes = []struct {
	err  error
	kind remedy.Kind
	fix  string
}{
	{vault.ErrWrongKey, remedy.WrongKey,
		"use an owner's identity: the recovery kit of this repository, or the file that holdfast key new wrote"},
	{vault.ErrOtherRoot, remedy.Refused,
		"correct the URL or its #hf1… pin; if the repository was replaced on purpose, set up this host anew"},
	{vault.ErrNoRepository, remedy.NoRepository,
		"correct the URL; on an instance's server holdfast init makes a repository"},
	{vault.ErrNoFile, remedy.Setting, "choose one of the files that holdfast ls SNAP lists"},
	{vault.ErrEmpty, remedy.NoSnapshot, "holdfast backup makes a snapshot; if the repository held snapshots, " +
		"somebody deleted them: look in a mirror"},
	{vault.ErrNoSnapshot, remedy.Setting, "choose one of the snapshots that holdfast list shows"},
	{vault.ErrBusy, remedy.Busy, "wait until the other run ends"},
	{vault.ErrRefused, remedy.Refused, ""},
	{remote.ErrRights, remedy.Credentials,
		"run Holdfast as the user who owns the folder, or give the folder to this user: chown -R USER FOLDER"},
	{remote.ErrDenied, remedy.Credentials,
		"allow the key s3:ListBucket on the bucket, and s3:GetObject and s3:PutObject on the objects; " +
			"holdfast config check tries these rights; some providers answer AccessDenied to a wrong key, too"},
	{remote.ErrSignature, remedy.Credentials,
		"correct secret_key, or AWS_SECRET_ACCESS_KEY; if the secret is right, check the bucket above: " +
			"the first folder of the URL is the bucket, and no storage below a path of a proxy can be used; " +
			"the proxy must pass on path and Host unchanged"},
	{remote.ErrClock, remedy.Credentials,
		"set this machine's clock (timedatectl set-ntp true), then run the command again"},
	{remote.ErrCredentials, remedy.Credentials,
		"correct access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; " +
			"holdfast config check tries the keys"},
	{remote.ErrFull, remedy.Full, "make room or raise the quota, then run the command again: uploaded data is kept"},
	{unix.ENOSPC, remedy.Full, "make room on this machine's disk, then run the command again"},
	{unix.EDQUOT, remedy.Full, "raise this user's quota on that disk or make room, then run the command again"},
	{remote.ErrNoBucket, remedy.NoRepository,
		"make the bucket at the provider, or correct the URL; if the bucket held snapshots, " +
			"ask the provider what happened to the bucket, or restore from a mirror"},
	{remote.ErrEndless, remedy.Refused,
		"give the repository a prefix or bucket of its own; if it has one, the storage is broken or hostile: " +
			"ask the provider"},
	{remote.ErrNotMounted, remedy.Unreachable,
		"mount the disk of the folder, or correct the path; holdfast init starts a repository in a new folder"},
	{remote.ErrNotFolder, remedy.Unreachable, "name the folder of the repository, and no file"},
	{remote.ErrReadOnly, remedy.Unreachable,
		"mount the disk read-write, then run the command again; a failing disk turns read-only by itself: see dmesg"},
	{remote.ErrCertificate, remedy.Unreachable,
		"if the storage has a certificate of its own, name the certificate's PEM file: ca in the configuration, " +
			"holdfast init --ca FILE, or SSL_CERT_FILE=FILE before any command; " +
			"else check the address and this machine's clock"},
	{unix.ENOTDIR, remedy.Setting, "a file is in the place of a folder: name another folder, or move the file away"},
	{remote.ErrUnreachable, remedy.Unreachable,
		"check the URL and the network, then run the command again: uploaded data is kept"},
	{vault.ErrDamage, remedy.Damage,
		"run holdfast verify --data all, which names the damaged objects and the snapshots that need them"},
	{vault.ErrSource, remedy.Source, ""},
	{unix.EROFS, remedy.Unexpected,
		"mount that disk read-write, or name a folder elsewhere; a failing disk turns read-only by itself: see dmesg"},
	{unix.EFBIG, remedy.Unexpected,
		"use a disk that takes larger files, and not FAT; or raise the limit of a file (ulimit -f, LimitFSIZE=)"},
	{unix.EMFILE, remedy.Unexpected, "raise the limit of open files (ulimit -n, LimitNOFILE=)"},
	{fs.ErrPermission, remedy.Unexpected, "run Holdfast as root or as the user who owns the file"},
}
