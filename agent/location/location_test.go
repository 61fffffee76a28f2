package location

import (
	"testing"

	"holdfast/internal/testkit"
	"holdfast/remedy"
	"holdfast/remote"
)

// A person who pastes the address of another tool gets no folder of that name.
func TestAddressOfAnotherToolIsNoFolder(t *testing.T) {
	others := []string{"b2:BUCKET", "s3:BUCKET/x", "user@host:path", "u1@host:/srv/x", "sftp:host:/x", "C:"}
	for _, address := range others {
		if _, err := Parse(address); !remedy.Is(err, remedy.Setting) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"/srv/a:b", "./a:b", "backups", "s3://host:9000/bucket"} {
		if _, err := Parse(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A quoted word of a shell, or a share of another system, makes no folder of that name.
func TestWordOfAShellOrAnotherMachineIsNoFolder(t *testing.T) {
	others := []string{"~/backup", "~", "$HOME/backup", " /srv/backup", "/srv/backup\n", "user@host", `\\host\share`}
	for _, address := range others {
		if l, err := Parse(address); !remedy.Is(err, remedy.Setting) {
			t.Errorf("%q: folder %q, error %v", address, l.URL, err)
		}
	}
	for _, address := range []string{"./~/backup", "./$HOME", "./user@host", "/srv/~x/$y@z", "a b"} {
		if _, err := Parse(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestSessionTokenBelongsToTheKeysOfTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	if got := WithEnvironment(remote.Config{}); got.SessionToken != "token" || got.AccessKey != "key" {
		t.Errorf("without keys: %+v", got.SessionToken)
	}
	own := remote.Config{AccessKey: "mine", SecretKey: "mine too"}
	if got := WithEnvironment(own); got.SessionToken != "" {
		t.Errorf("with other keys: %q", got.SessionToken)
	}
}

func TestBucketOfTheMediaIsKnown(t *testing.T) {
	for address, want := range map[string]bool{
		"s3://S3.example.org:9000/media/backup": true, "s3+http://s3.example.org:9000/media": true,
		"s3://s3.example.org:9000/media2": false, "s3://other.example.org/media": false,
		"/s3.example.org:9000/media": false,
	} {
		l, err := Parse(address)
		testkit.OK(t, err)
		if l.IsInBucket("s3.example.org:9000", "media") != want || l.IsInBucket("s3.example.org:9000", "") {
			t.Errorf("%s: %t", address, !want)
		}
	}
}
