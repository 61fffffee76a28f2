package disk

import "testing"

// A killed process of a container starts again: the container must end.
func TestContainerOfAProcessIsFound(t *testing.T) {
	const id = "0123456789ab0123456789ab"
	for cgroup, want := range map[string]string{
		"0::/system.slice/docker-" + id + ".scope\n":            "docker stop 0123456789ab",
		"12:pids:/docker/" + id + "\n":                          "docker stop 0123456789ab",
		"0::/machine.slice/libpod-" + id + ".scope/container\n": "podman stop 0123456789ab",
		"0::/system.slice/gotosocial.service\n":                 "",
		"0::/user.slice/user-0.slice/session-1.scope\n":         "",
	} {
		if got := stopOf([]byte(cgroup)); got != want {
			t.Errorf("%q: %q, want %q", cgroup, got, want)
		}
	}
}
