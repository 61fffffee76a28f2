package machine

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
)

// inspectServer compares the version of the installed GoToSocial with the snapshot's:
// an older server breaks a newer database. If the order of the versions is unknown, a
// person decides.
func (m *Machine) inspectServer(ctx context.Context) Finding {
	f := Finding{Subject: ServerSubject}
	ran := "the snapshot does not record the instance's version"
	if m.Facts.GoToSocial != "" {
		ran = "the instance ran " + m.Facts.GoToSocial
	}
	if m.Config.Container {
		f.Detail = "runs in a container; " + ran
		f.Fix = "the image must not be older than the old server's"
		return f
	}
	program := m.Config.Program()
	if program == "" {
		f.Detail = fmt.Sprintf("not installed; %s (last migration %s)", ran, cmp.Or(m.Facts.Migration, "unknown"))
		f.Fix = m.installFix()
		return f
	}
	as := m.programUser()
	have, err := gotosocial.AskVersion(ctx, program, as)
	if err != nil {
		f.Detail = fmt.Sprintf("%s does not tell its version: %v; %s", program, err, ran)
		f.Fix = m.chooseFix(program)
		return f
	}
	f.Detail = fmt.Sprintf("%s, asked as user %s, is GoToSocial %s; %s", program, disk.UserName(int(as.Uid)), have, ran)
	installed, ok1 := gotosocial.ParseVersion(have)
	recorded, ok2 := gotosocial.ParseVersion(m.Facts.GoToSocial)
	switch {
	case have == m.Facts.GoToSocial:
	case !ok1 || !ok2:
		f.Detail += ": nobody can tell which one is newer"
		f.Fix = m.chooseFix(program)
	case installed.Compare(recorded) < 0:
		f.Detail += ": an older server breaks a newer database"
		f.Fix, f.Refused = m.installFix(), true
	}
	return f
}

// programUser returns the user who asks the program for its version. Root asks as the server's
// user, or as a user without rights.
func (m *Machine) programUser() *syscall.Credential {
	if os.Geteuid() != 0 {
		return &syscall.Credential{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	}
	if uid, gid, err := disk.IDs(m.User); err == nil && uid > 0 {
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return &syscall.Credential{Uid: disk.Nobody, Gid: disk.Nobody}
}

const releases = "https://codeberg.org/superseriousbusiness/gotosocial/releases"

// installFix says how to install the version that the instance ran, or how to choose a
// version.
func (m *Machine) installFix() string {
	fix := "install a version that is not older: " + releases
	version, ok := gotosocial.ParseVersion(m.Facts.GoToSocial)
	if tag, exact := version.Release(); ok && exact {
		fix = fmt.Sprintf("install GoToSocial %s or a newer version: %s/download/v%s/gotosocial_%s_linux_%s.tar.gz",
			tag, releases, tag, tag, architecture())
	}
	if program := m.Config.Binary; filepath.IsAbs(program) {
		fix += fmt.Sprintf("; unpack it in %s: the unit runs %s", filepath.Dir(program), program)
	}
	return fix
}

// architecture is the name of this machine's processor in the names of GoToSocial's
// releases.
func architecture() string {
	if runtime.GOARCH == "arm" {
		return "armv7"
	}
	return runtime.GOARCH
}

// chooseFix asks a person to compare the versions.
func (m *Machine) chooseFix(program string) string {
	return fmt.Sprintf("go on only if %s is not older than %s", program, cmp.Or(m.Facts.GoToSocial,
		"the server of the snapshot"))
}
