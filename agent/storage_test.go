package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/agent"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/remote"
	"holdfast/remote/remotetest"
)

// useKeys puts S3 keys into the environment.
func useKeys(t *testing.T, c remote.Config) {
	t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretKey)
	t.Setenv("AWS_SESSION_TOKEN", c.SessionToken)
}

// newSetUp begins a set-up of a sample instance on a storage.
func newSetUp(t *testing.T, url string) (*agent.SetUp, agent.Home) {
	t.Helper()
	dir := t.TempDir()
	instance, err := sample.Make(filepath.Join(dir, "instance"),
		sample.Config{Accounts: 2, Statuses: 2, Media: 1, MediaBytes: 100})
	testkit.OK(t, err)
	home := agent.Home{ConfigFile: filepath.Join(dir, "holdfast.yaml"), State: filepath.Join(dir, "state")}
	s, err := home.SetUp(t.Context(), agent.SetUpConfig{KitFile: filepath.Join(dir, "kit.txt"), Config: agent.Config{
		Instance: agent.InstanceConfig{GoToSocial: filepath.Join(instance.Dir, "config.yaml")},
		Remotes:  []agent.RemoteConfig{{URL: url}},
	}})
	testkit.OK(t, err)
	t.Cleanup(func() { s.Close() })
	return s, home
}

func TestInitAndConfigCheckNameTheMissingRight(t *testing.T) {
	b := remotetest.NewBucket(t)
	s, home := newSetUp(t, "s3+http://"+b.Endpoint+"/"+b.Name+"/example.org")
	useKeys(t, b.Limited(t, "s3:PutObject", "s3:ListBucket"))
	_, err := s.CreateRemote(t.Context())
	if !errors.Is(err, remote.ErrDenied) || !strings.Contains(err.Error(), "s3:GetObject") {
		t.Errorf("init without s3:GetObject: %v", err)
	}
	if _, err := os.Stat(home.ConfigFile); err == nil {
		t.Error("the refused init wrote a configuration")
	}

	useKeys(t, b.Limited(t, "s3:PutObject", "s3:GetObject", "s3:ListBucket"))
	_, err = s.CreateRemote(t.Context())
	testkit.OK(t, err)
	_, err = s.Publish(t.Context(), nil)
	testkit.OK(t, err)
	useKeys(t, b.Limited(t, "s3:GetObject", "s3:ListBucket"))
	if err := checkOfRemote(t, home); !errors.Is(err, remote.ErrDenied) ||
		!strings.Contains(err.Error(), "s3:PutObject") {
		t.Errorf("config check without s3:PutObject: %v", err)
	}
	useKeys(t, remote.Config{AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err := checkOfRemote(t, home); err != nil {
		t.Errorf("config check with all rights: %v", err)
	}
}

// checkOfRemote returns the outcome of config check for the remote.
func checkOfRemote(t *testing.T, home agent.Home) (failure error) {
	t.Helper()
	testkit.OK(t, home.CheckConfig(t.Context(), agent.Observer{}, func(c agent.Check) {
		if c.Name == "remote" {
			failure = c.Err
		}
	}))
	return failure
}
