package client

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestConnectionStringNamesNoPipeAndNoDevice(t *testing.T) {
	dir := t.TempDir()
	pipe, service, plain := filepath.Join(dir, "a pipe"), filepath.Join(dir, "service"), filepath.Join(dir, "plain")
	testkit.OK(t, unix.Mkfifo(pipe, 0o600))
	testkit.OK(t, os.WriteFile(service, []byte("[gts]\nhost=db\nsslrootcert = /dev/zero\n"), 0o600))
	testkit.OK(t, os.WriteFile(plain, []byte("*:*:*:*:x\n"), 0o600))
	for text, refused := range map[string]bool{
		"postgres://gts@db/gts?sslrootcert=/dev/zero":                         true,
		"postgresql://gts@db/gts?passfile=" + dir + "/a%20pipe":               true,
		"host=db sslrootcert=/dev/zero":                                       true,
		"host='db'passfile = '" + pipe + "'":                                  true,
		`host=db passfile=` + dir + `/a\ pipe`:                                true,
		"host=db service=gts servicefile=" + service:                          true,
		"postgres://gts@db/gts?service=gts&servicefile=" + service:            true,
		"host=db passfile=" + plain + " sslrootcert=" + dir + "/missing":      false,
		"postgres://gts:sslrootcert%3D%2Fdev%2Fzero@db/gts?passfile=" + plain: false,
	} {
		err := CheckFiles(text)
		if refused != (err != nil) || refused && !remedy.Is(err, remedy.Setting) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
