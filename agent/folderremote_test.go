package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/agent"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/remote/remotetest"
)

func TestRepositoryThatIsLostWithTheInstanceIsWarnedOf(t *testing.T) {
	instance, err := sample.Make(filepath.Join(t.TempDir(), "instance"),
		sample.Config{Accounts: 2, Statuses: 2, Media: 1, MediaBytes: 100})
	testkit.OK(t, err)
	inside := filepath.Join(instance.Dir, "storage", "backup")
	testkit.OK(t, os.MkdirAll(inside, 0o700))
	link := filepath.Join(t.TempDir(), "link")
	testkit.OK(t, os.Symlink(inside, link))
	other := t.TempDir()
	testkit.MountSmallDisk(t, other, "size=1m")
	const (
		inStorage = "inside GoToSocial's storage"
		sameDisk  = "on the disk of GoToSocial's database and media"
		inMemory  = "in memory (tmpfs)"
		around    = "database or storage is inside the repository"
	)
	for url, want := range map[string][]string{
		inside:                               {inStorage, sameDisk},
		link:                                 {inStorage, sameDisk},
		"dir://" + instance.Dir + "/backup":  {sameDisk},
		other:                                {inMemory},
		filepath.Dir(instance.Dir):           {around, sameDisk},
		"s3://s3.example.org/bucket/storage": nil,
	} {
		var got []string
		home := agent.Home{ConfigFile: t.TempDir() + "/holdfast.yaml", State: t.TempDir() + "/state"}
		warn := func(text string) {
			if strings.Contains(text, "repository") {
				got = append(got, text)
			}
		}
		s, err := home.SetUp(t.Context(), agent.SetUpConfig{
			WithoutKit: true, Observer: agent.Observer{Warn: warn}, Config: agent.Config{
				Instance: agent.InstanceConfig{GoToSocial: filepath.Join(instance.Dir, "config.yaml")},
				Remotes:  []agent.RemoteConfig{{URL: url}},
			}})
		testkit.OK(t, err)
		s.Close()
		for _, w := range want {
			if !strings.Contains(strings.Join(got, "\n"), w) {
				t.Errorf("%s: no warning %q among %q", url, w, got)
			}
		}
		if url == other && strings.Contains(strings.Join(got, "\n"), "disk of") || want == nil && len(got) > 0 {
			t.Errorf("%s: warnings %q", url, got)
		}
	}
}

func TestOwnFilesInTheStorageAreWarnedOf(t *testing.T) {
	instance, err := sample.Make(filepath.Join(t.TempDir(), "instance"),
		sample.Config{Accounts: 2, Statuses: 2, Media: 1, MediaBytes: 100})
	testkit.OK(t, err)
	storage := filepath.Join(instance.Dir, "storage")
	var got []string
	home := agent.Home{ConfigFile: t.TempDir() + "/holdfast.yaml", State: storage + "/state"}
	s, err := home.SetUp(t.Context(), agent.SetUpConfig{
		KitFile:  storage + "/kit.txt",
		Observer: agent.Observer{Warn: func(text string) { got = append(got, text) }},
		Config: agent.Config{
			Instance: agent.InstanceConfig{GoToSocial: filepath.Join(instance.Dir, "config.yaml")},
			Remotes:  []agent.RemoteConfig{{URL: t.TempDir()}},
		}})
	testkit.OK(t, err)
	testkit.OK(t, s.Close())
	for _, own := range []string{"/state", "/kit.txt"} {
		if want := storage + own + " is inside GoToSocial's storage"; !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("no warning %q among %q", want, got)
		}
	}
}

func TestRepositoryInTheBucketOfTheMediaIsWarnedOf(t *testing.T) {
	b := remotetest.NewBucket(t)
	instance, err := sample.Make(filepath.Join(t.TempDir(), "instance"),
		sample.Config{Accounts: 2, Statuses: 2, Media: 1, MediaBytes: 100})
	testkit.OK(t, err)
	config := filepath.Join(instance.Dir, "config.yaml")
	text := strings.Replace(string(testkit.Read(t, config)), "storage-backend: \"local\"",
		"storage-backend: s3\nstorage-s3-use-ssl: false\nstorage-s3-endpoint: "+b.Endpoint+"\nstorage-s3-bucket: "+
			b.Name+"\nstorage-s3-access-key: "+b.AccessKey+"\nstorage-s3-secret-key: "+b.SecretKey, 1)
	testkit.Write(t, config, text)
	for bucket, want := range map[string]bool{b.Name: true, "backup": false} {
		var got []string
		home := agent.Home{ConfigFile: t.TempDir() + "/holdfast.yaml", State: t.TempDir() + "/state"}
		s, err := home.SetUp(t.Context(), agent.SetUpConfig{
			WithoutKit: true, Observer: agent.Observer{Warn: func(text string) { got = append(got, text) }},
			Config: agent.Config{
				Instance: agent.InstanceConfig{GoToSocial: config},
				Remotes:  []agent.RemoteConfig{{URL: "s3+http://" + b.Endpoint + "/" + bucket + "/x"}},
			}})
		testkit.OK(t, err)
		testkit.OK(t, s.Close())
		if strings.Contains(strings.Join(got, "\n"), "in the bucket of GoToSocial's media") != want {
			t.Errorf("%s: %q", bucket, got)
		}
	}
}
