package machine

import (
	"cmp"
	"context"
	"fmt"
	"os"
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
		f.Fix = m.installFix(m.needed()...)
		return f
	}
	as := m.programUser()
	have, err := gotosocial.AskVersion(ctx, program, as)
	if err != nil {
		f.Detail = fmt.Sprintf("%s does not tell its version: %v; %s", program, err, ran)
		f.Fix = m.chooseFix(program)
		if chown := giveToRoot(err); chown != "" {
			f.Fix = chown + "; or " + f.Fix
		}
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
