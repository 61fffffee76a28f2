package machine

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/manifest"
)

// Bots are kept out, limits are reached and servers start: they live all the same.
func TestServerThatGivesNoAnswerIsNoneThatIsGone(t *testing.T) {
	dir := small(t)
	c, err := gotosocial.Load(dir+"/config.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for status, lives := range map[int]bool{200: true, 302: true, 401: true, 403: true, 429: true, 502: true,
		503: true, 404: false, 410: false} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path) // round in a circle
			w.WriteHeader(status)
		}))
		r := &Machine{Config: c, Domain: strings.TrimPrefix(server.URL, "https://"),
			Facts: manifest.Facts{Engine: gotosocial.SQLite}, Folder: t.TempDir()}
		if f := r.Inspect(t.Context(), nil, false)[0]; f.Subject != "domain" || f.Refused != lives {
			t.Errorf("status %d: %+v", status, f)
		}
		server.Close()
		if f := r.Inspect(t.Context(), nil, false)[0]; f.Refused {
			t.Errorf("closed: %+v", f)
		}
	}
}
