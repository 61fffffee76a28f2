package remote

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The address of a proxy may hold a password. net/http quotes an address that it cannot read.
func TestPasswordOfAnUnreadableProxyIsNotQuoted(t *testing.T) {
	unreadable := func(*http.Request) (*url.URL, error) {
		return nil, fmt.Errorf("invalid proxy address %q", "user:pass%word@proxy:3128")
	}
	_, err := silent(unreadable)(nil)
	if err == nil || strings.Contains(err.Error(), "pass%word") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Errorf("%v", err)
	}
}
