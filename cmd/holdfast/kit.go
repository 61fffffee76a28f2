package main

import (
	"strings"
	"text/template"
	"time"

	"holdfast/agent"
	"holdfast/seal"
)

// kit is the recovery kit: a page to print. All lines except
// the key are comments: the file works as an identity, and pins the repository.
type kit struct {
	Instance            string
	Repository          seal.RepositoryID
	Remote              string // with its pin
	Region              string // of S3, "" where the endpoint tells it
	Identity, Recipient string
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
#        export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…{{with .Region}} AWS_REGION={{.}}{{end}}{{else}}:
#{{end}}
#        holdfast restore --identity {{.File}} \
#          --from '{{.Remote}}'
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

func (k kit) save(path string) error {
	var b strings.Builder
	err := kitText.Execute(&b, struct {
		kit
		Date, File string
		S3         bool
	}{k, time.Now().Format(time.DateOnly), base(path), strings.HasPrefix(k.Remote, "s3")})
	if err != nil {
		return err
	}
	return agent.WriteNew(path, strings.NewReader(b.String()))
}

// base is the name of the file without the folders.
func base(path string) string {
	return path[strings.LastIndex(path, "/")+1:]
}
