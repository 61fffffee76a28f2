package agent

import (
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"holdfast/remedy"
	"holdfast/seal"
)

// Kit is the recovery kit: a page to print. All lines except the key are comments: the
// file works as an identity, and pins the repository.
type Kit struct {
	Instance   string
	Repository seal.RepositoryID
	Remote     string // with its pin
	Region     string // of S3; "" if the endpoint tells the region
	OwnCA      bool   // the storage has a certificate of its own
	Identity   string // "" if the owners have identities already
	Recipient  string // of the identity
}

var kitText = template.Must(template.New("kit").Parse(`#
#   HOLDFAST RECOVERY KIT                                 {{.Date}}
#   {{.Instance}}
#
#   Print this page. Keep the paper away from the server.
#   A person with this page and the storage can read every backup.
#
# repository: {{.Repository}}
# public key: {{.Recipient}}
#
#   The key:
#
{{.Identity}}
#
#   The storage:
#
#     {{.Remote}}
#
#   AT THREE IN THE MORNING
#
#   1. Breathe. The backups are in the storage above, not on the server.
#   2. Don't let a second server answer for {{.Instance}}.
#      Don't start GoToSocial with an empty database under that name.
#   3. On a fresh server with Holdfast, as root{{if .S3}}, with the storage's own keys:
#
#        export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…{{with .Region}} AWS_REGION={{.}}{{end}}
{{- if .OwnCA}}
#        export SSL_CERT_FILE=…   # a PEM file of the storage's own certificate
{{- end}}{{else}}:
#{{end}}
#        holdfast restore --identity {{.File}} \
#          --from {{.From}}
#
#      The command shows a plan, asks for the domain, and rebuilds the instance.
#      With --to ./restored everything goes into a folder instead, on any
#      Linux machine; ./restored/run.env says how to start GoToSocial over it.
#
#      If only this paper is left, write --identity - and type the key:
#      spaces and small letters are fine. Type the storage's address exactly
#      up to the #. The repository's ID, as above, follows the #.
#   4. Without Holdfast: restore by hand with age, zstd and jq, as
#      restore-by-hand.md explains.
#
`))

func (k Kit) save(path string) error {
	var b strings.Builder
	err := kitText.Execute(&b, struct {
		Kit
		Date, File, From string
		S3               bool
	}{k, time.Now().Format(time.DateOnly), remedy.QuoteShell(filepath.Base(path)), remedy.QuoteShell(k.Remote),
		strings.HasPrefix(k.Remote, "s3")})
	if err != nil {
		return err
	}
	return WriteNew(path, strings.NewReader(b.String()))
}
