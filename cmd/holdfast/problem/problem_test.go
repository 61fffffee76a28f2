package problem

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/vault"
)

func TestRestoredDatabaseThatIsDamagedHasAWayOut(t *testing.T) {
	p := Explain(t.Context(), fmt.Errorf("check the database: %w",
		&remedy.DamageError{Findings: []string{"row 1 missing from index"}}))
	if p.Kind != remedy.Damage || !strings.Contains(p.Fix, "holdfast cat") {
		t.Errorf("exit %d, %s", ExitCode(p), p.Fix)
	}
}

func TestEachFailureHasItsOwnFix(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind remedy.Kind
		fix  string
	}{
		{remote.ErrCredentials, remedy.Credentials, "secret_key"},
		{remote.ErrDenied, remedy.Credentials, "s3:PutObject"},
		{remote.ErrSignature, remedy.Credentials, "first folder of the URL is the bucket"},
		{remote.ErrClock, remedy.Credentials, "clock"},
		{remote.ErrRights, remedy.Credentials, "chown"},
		{remote.ErrUnreachable, remedy.Unreachable, "network"},
		{remote.ErrCertificate, remedy.Unreachable, "SSL_CERT_FILE=FILE"},
		{remote.ErrNotMounted, remedy.Unreachable, "mount the disk"},
		{remote.ErrReadOnly, remedy.Unreachable, "read-write"},
		{remote.ErrNotFolder, remedy.Unreachable, "name the folder"},
		{remote.ErrNoBucket, remedy.NoRepository, "make the bucket"},
		{remote.ErrFull, remedy.Full, "quota"},
		{syscall.ENOSPC, remedy.Full, "this machine's disk"},
		{&fs.PathError{Op: "write", Path: os.TempDir(), Err: syscall.ENOSPC}, remedy.Full, "TMPDIR"},
		{&fs.PathError{Op: "write", Path: "/srv/x", Err: syscall.ENOSPC}, remedy.Full, "the disk of /srv/x, then run"},
		{fmt.Errorf("%w: %w", remote.ErrReadOnly, syscall.EROFS), remedy.Unreachable, "read-write"},
		{syscall.EDQUOT, remedy.Full, "quota"},
		{fmt.Errorf("%w: %w", remote.ErrUnreachable, syscall.ENOTDIR), remedy.Setting, "a file is in the place"},
		{syscall.EFBIG, remedy.Unexpected, "FAT"},
		{syscall.EMFILE, remedy.Unexpected, "ulimit -n"},
		{syscall.EROFS, remedy.Unexpected, "read-write"},
		{os.NewSyscallError("getwd", syscall.ENOENT), remedy.Setting, "change (cd)"},
		{&remedy.Error{Kind: remedy.Busy, What: "another restore", Fix: "wait"}, remedy.Busy, "wait"},
		{&remedy.Error{Kind: remedy.Source, What: "the disk of PostgreSQL", Err: syscall.ENOSPC, Fix: "on that disk"},
			remedy.Full, "on that disk"},
		{&remedy.Error{Kind: remedy.Source, What: "a row", Err: &remedy.DamageError{}, Fix: "by psql"}, remedy.Damage,
			"by psql"},
	} {
		p := Explain(t.Context(), fmt.Errorf("list: %w", c.err))
		if p.Kind != c.kind || !strings.Contains(p.Fix, c.fix) {
			t.Errorf("%v: exit %d, %s", c.err, ExitCode(p), p.Fix)
		}
	}
}

func TestOutermostErrorThatSaysSomethingDecides(t *testing.T) {
	inner := &remedy.Error{Kind: remedy.Source, What: "media", Effect: "lost", Fix: "inner", Err: remote.ErrUnreachable}
	p := Explain(t.Context(), fmt.Errorf("back up: %w", &remedy.Error{Kind: remedy.Refused, Err: inner, Fix: "outer"}))
	if p.Kind != remedy.Refused || p.Fix != "outer" || p.Effect != "lost" {
		t.Errorf("%+v", p)
	}
	p = Explain(t.Context(), WithEffect(inner, "other"))
	if p.Effect != "lost" || p.Fix != "inner" || p.Kind != remedy.Source {
		t.Errorf("%+v", p)
	}
	// A setting that keeps the instance from being read.
	p = Explain(t.Context(), fmt.Errorf("%w: %w", vault.ErrSource,
		&remedy.Error{Kind: remedy.Setting, What: "no database"}))
	if p.Kind != remedy.Source {
		t.Errorf("exit %d", ExitCode(p))
	}
}

func TestEveryKindHasAnExitCode(t *testing.T) {
	seen := map[int]bool{0: true}
	for kind := remedy.Unexpected; kind <= remedy.Interrupted; kind++ {
		code := ExitCode(&remedy.Error{Kind: kind})
		if seen[code] {
			t.Errorf("kind %d has the exit code %d of another", kind, code)
		}
		seen[code] = true
	}
}
