package integration_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/instance/gotosocialtest"
	"holdfast/internal/testkit"
)

// served is a real GoToSocial server that people use, with Holdfast on its machine.
type served struct {
	*host
	server     *gotosocialtest.Instance
	kill       func() // ends the server
	alice, bob *gotosocialtest.Client
}

// newServed starts a server that two people use.
func newServed(t *testing.T, release gotosocialtest.Release, settings ...string) *served {
	t.Helper()
	testkit.NeedsRoot(t) // to be another machine later
	s := &served{server: gotosocialtest.New(t, release, filepath.Join(testkit.PublicDir(t), "gotosocial"), settings...)}
	s.host = &host{t: t, dir: t.TempDir(), config: s.server.Config(), remote: folderRemote(t).url}
	s.kill = s.server.Start(t)
	s.alice = s.server.AddAccount(t, "alice", "promote")
	s.bob = s.server.AddAccount(t, "bob")
	s.moveIn()
	// The caches of the server may hold older answers. A new server has none.
	s.kill()
	s.kill = s.server.Start(t)
	s.init()
	return s
}

// in returns the same server for a subtest.
func (s *served) in(t *testing.T) *served {
	inner := *s
	host := *s.host
	inner.host, host.t = &host, t
	return &inner
}

// moveIn makes alice and bob use the instance.
func (s *served) moveIn() {
	s.t.Helper()
	ctx := s.t.Context()
	testkit.OK(s.t, s.alice.AddEmoji(ctx, "blob", gotosocialtest.Picture(1)))
	testkit.OK(s.t, s.alice.SetProfile(ctx, "Alice :blob:", gotosocialtest.Picture(2), gotosocialtest.Picture(3)))
	// Without a picture GoToSocial chooses another one at each start.
	testkit.OK(s.t, s.bob.SetProfile(ctx, "Bob", gotosocialtest.Picture(4), gotosocialtest.Picture(5)))
	testkit.OK(s.t, s.alice.Follow(ctx, s.bob.Account))
	testkit.OK(s.t, s.bob.Follow(ctx, s.alice.Account))
	first, err := s.alice.Post(ctx, "Two pictures :blob:", gotosocialtest.Picture(6), gotosocialtest.Picture(7))
	testkit.OK(s.t, err)
	testkit.OK(s.t, s.bob.Mark(ctx, first, "favourite"))
	testkit.OK(s.t, s.bob.Mark(ctx, first, "reblog"))
	answer, err := s.bob.Reply(ctx, first, "@alice fine :blob:")
	testkit.OK(s.t, err)
	testkit.OK(s.t, s.alice.Mark(ctx, answer, "favourite"))
	testkit.OK(s.t, s.alice.Mark(ctx, answer, "bookmark"))
	s.settle()
}

// settle waits until the server has done everything that follows from moveIn. GoToSocial
// acknowledges a request before the server counts posts and tells other people.
func (s *served) settle() {
	s.t.Helper()
	var told []struct{}
	var profile struct {
		Followers int `json:"followers_count"`
		Following int `json:"following_count"`
		Posts     int `json:"statuses_count"`
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		s.read("/api/v1/notifications", &told)
		s.read("/api/v1/accounts/"+s.alice.Account.ID, &profile)
		// Bob followed, marked twice, and answered.
		if len(told) == 4 && profile.Followers == 1 && profile.Following == 1 && profile.Posts == 1 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("after a minute: %d notifications, %+v", len(told), profile)
		}
	}
}

// post posts for bob, each fifth time with a picture. The result is a post that the
// server acknowledged.
func (s *served) post(n int) gotosocialtest.Status {
	s.t.Helper()
	var pictures [][]byte
	if n%5 == 0 {
		pictures = append(pictures, gotosocialtest.Picture(n))
	}
	post, err := s.bob.Post(s.t.Context(), fmt.Sprintf("post number %d", n), pictures...)
	testkit.OK(s.t, err)
	return post
}

// backUpBusy backs up while bob posts. The results are the posts from before the backup,
// and all others.
func (s *served) backUpBusy() (before, others []gotosocialtest.Status) {
	s.t.Helper()
	for n := range times(25, 250) {
		before = append(before, s.post(n))
	}
	backup := s.holdfast("backup").start()
	var group errgroup.Group
	ended := make(chan struct{})
	group.Go(func() error {
		defer close(ended)
		return backup.wait()
	})
	for open := true; open; {
		select {
		case <-ended:
			open = false
		default:
			others = append(others, s.post(len(before)+len(others)))
		}
	}
	_ = group.Wait() // expect waits again, and shows the output
	backup.expect(0)
	if len(others) < 5 {
		s.t.Errorf("only %d posts during the backup: this proves little", len(others))
	}
	return before, others
}

// rebuild restores a snapshot onto a fresh machine that has a release.
func (s *served) rebuild(
	snapshot string, release gotosocialtest.Release, e *engine,
) (*machine, *gotosocialtest.Instance) {
	s.t.Helper()
	m := newMachine(s.t, s.host)
	e.replace(m)
	m.install("sh") // ends the server
	testkit.OK(s.t, os.Symlink("usr/bin", filepath.Join(m.root, "bin")))
	testkit.OK(s.t, os.Chmod(filepath.Join(m.root, "tmp"), 0o777|fs.ModeSticky))
	again := s.server.At(s.t, m.root, release)
	again.UnpackWeb(s.t) // as an admin does, who unpacks the whole release
	done := m.restore(snapshot, "--yes", gotosocialtest.Domain).start().expect(0).stdout.String()
	if !strings.Contains(done, "the key pairs of 2 local accounts match") {
		s.t.Errorf("the restore did not check the keys:\n%s", done)
	}
	return m, again
}

// A server that people use is backed up, dies, and comes back on a fresh machine. The
// new server answers as the old one did.
func TestRealServerComesBack(t *testing.T) {
	release := gotosocialtest.Find(t)
	for name, newEngine := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			s := newServed(t, release, e.settings...)
			t.Run("export", func(t *testing.T) { s.in(t).exportIsRead(release) })
			t.Run("restore", func(t *testing.T) { s.in(t).comesBack(release, e) })
		})
	}
}

// comesBack restores the snapshot of the server in use. In a full run comesBack also
// restores a snapshot of the dead server, which holds every acknowledged post.
func (s *served) comesBack(release gotosocialtest.Release, e *engine) {
	s.t.Helper()
	profile := slices.Concat(s.keyQuestions(), s.profileQuestions())
	answers := s.ask(profile)
	before, others := s.backUpBusy()
	posts := slices.Concat(s.pictureQuestions(before), s.postQuestions(before))
	further := slices.Concat(s.pictureQuestions(others), s.postQuestions(others))
	questions := slices.Concat(profile, posts)
	answers = append(answers, s.ask(posts)...)
	furtherAnswers := s.ask(further)
	inUse := s.latest()
	s.kill()
	if full {
		s.backup()
	}
	m, again := s.rebuild(inUse, release, e)
	kill := again.Start(s.t)
	m.restore(inUse, "--yes", gotosocialtest.Domain, "--replace").start().expect(20).says("", "stop the ")
	s.answersAsBefore(questions, answers)
	s.goesOn(m, e)
	if full {
		kill()
		_, again = s.rebuild("latest", release, e)
		again.Start(s.t)
		s.answersAsBefore(questions, answers)
		s.answersAsBefore(further, furtherAnswers)
	}
}

// goesOn wants the restored server to serve a new post, and a backup of the restored
// server to hold the post.
func (s *served) goesOn(m *machine, e *engine) {
	s.t.Helper()
	post, err := s.bob.Post(s.t.Context(), "I am back", gotosocialtest.Picture(7))
	testkit.OK(s.t, err)
	posts := []gotosocialtest.Status{post}
	s.ask(append(s.postQuestions(posts), s.pictureQuestions(posts)...))

	m.holdfast("init", "/second", "--gotosocial", s.config, "--kit", "/second.txt").start().expect(0)
	m.holdfast("backup").start().expect(0)
	m.holdfast("verify", "--data", "all").start().expect(0)
	m.holdfast("restore", "--identity", "/second.txt", "--to", "/folder").start().expect(0)
	folder := filepath.Join(m.root, "folder")
	if got := e.content(folder, post.ID); got != post.Content {
		s.t.Errorf("the second backup has %q, want %q", got, post.Content)
	}
	prefix := "https://" + gotosocialtest.Domain + "/fileserver/"
	testkit.Read(s.t, filepath.Join(folder, "storage", strings.TrimPrefix(post.Media[0].URL, prefix)))
}
