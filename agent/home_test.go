package agent

import (
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// A run as root left the state folder to root. The key of the host is not lost.
func TestUnreadableHostKeyIsNoLostKey(t *testing.T) {
	testkit.NeedsRoot(t)
	home := Home{State: testkit.PublicDir(t)}
	testkit.OK(t, os.WriteFile(home.HostFile(), nil, 0o600))
	fix := testkit.CallAsNobody(t, func() string {
		_, err := home.Host()
		if said := (*remedy.Error)(nil); errors.As(err, &said) {
			return said.Fix
		}
		return ""
	})
	if want := "chown -R nobody " + home.State; !strings.Contains(fix, want) {
		t.Errorf("%q does not contain %q", fix, want)
	}
}
