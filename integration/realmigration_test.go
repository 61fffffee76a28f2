package integration_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"holdfast/instance/gotosocialtest"
	"holdfast/internal/testkit"
)

// A machine with a newer GoToSocial takes the snapshot of an older server, and the
// newer server migrates the database. A machine with an older GoToSocial is refused.
func TestNewerServerMigratesAnOlderSnapshot(t *testing.T) {
	if !full {
		t.Skip("make full builds the older server")
	}
	newer, older := gotosocialtest.Find(t), gotosocialtest.FindOlder(t)
	for name, newEngine := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			s := newServed(t, older, e.settings...)
			posts, _ := s.backUpBusy()
			questions := append(s.keyQuestions(), s.pictureQuestions(posts)...)
			answers := s.ask(questions)
			s.kill()
			_, again := s.rebuild("latest", newer, e)
			again.Start(t)
			s.answersAsBefore(questions, answers)
			for _, q := range s.postQuestions(posts) {
				text, err := q.as.Get(t.Context(), q.path, q.form)
				testkit.OK(t, err)
				var now gotosocialtest.Status
				testkit.OK(t, json.Unmarshal(text, &now))
				if was := posts[0]; !reflect.DeepEqual(now, was) {
					t.Errorf("%s is %+v, was %+v", q.path, now, was)
				}
				posts = posts[1:]
			}
		})
	}
	t.Run("an older server", func(t *testing.T) {
		t.Parallel()
		s := newServed(t, newer)
		s.backup()
		s.kill()
		m := newMachine(t, s.host)
		s.server.At(t, m.root, older)
		m.restore("--yes", gotosocialtest.Domain).start().expect(20).says("0.18.3", "0.19.2")
	})
}
