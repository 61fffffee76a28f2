package machine

import (
	"context"
	"fmt"

	"holdfast/instance/gotosocial"
)

// inspectDomain asks whether a server answers for the domain now. With two servers under
// one name, messages to the wrong server are lost.
func (m *Machine) inspectDomain(ctx context.Context, oldIsDead bool) Finding {
	f := Finding{Subject: DomainSubject}
	server, err := gotosocial.AskDomain(ctx, m.Domain)
	switch {
	case err != nil:
		f.Detail = fmt.Sprintf("nobody answers for %s (%v)", m.Domain, err)
	case oldIsDead:
		f.Detail = fmt.Sprintf("%s answers for %s; by --old-is-dead, this is not the old server", server, m.Domain)
	default:
		f.Detail = fmt.Sprintf("%s answers for %s", server, m.Domain)
		f.Fix = "stop that server for good; if it is not the old instance's server, say so by --old-is-dead"
		f.Refused = true
	}
	return f
}
