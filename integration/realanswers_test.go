package integration_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"holdfast/instance/gotosocialtest"
	"holdfast/internal/testkit"
)

// question is a request to a server, and the form of the answer.
type question struct {
	as         *gotosocialtest.Client
	path, form string
}

const (
	asJSON  = "application/json"
	asActor = "application/activity+json"
	asPage  = "text/html"
	asBytes = "*/*"
)

// keyQuestions ask for the public keys of the actors.
func (s *served) keyQuestions() []question {
	return []question{{s.alice, "/users/alice/main-key", asActor}, {s.bob, "/users/bob/main-key", asActor}}
}

// profileQuestions ask for everything that concerns alice. The posts of bob change none
// of the answers.
func (s *served) profileQuestions() []question {
	a := s.alice.Account
	return []question{
		{s.alice, "/api/v1/accounts/verify_credentials", asJSON},
		{s.bob, "/api/v1/accounts/" + a.ID, asJSON},
		{s.bob, "/api/v1/accounts/" + a.ID + "/statuses", asJSON},
		{s.bob, "/api/v1/accounts/" + a.ID + "/followers", asJSON},
		{s.alice, "/api/v1/accounts/relationships?id[]=" + s.bob.Account.ID, asJSON},
		{s.alice, "/api/v1/custom_emojis", asJSON},
		{s.alice, "/api/v1/bookmarks", asJSON},
		{s.alice, "/api/v1/favourites", asJSON},
		{s.alice, "/api/v1/notifications", asJSON},
		{s.alice, "/api/v1/preferences", asJSON},
		{s.alice, "/.well-known/webfinger?resource=acct:alice@" + gotosocialtest.Domain, asJSON},
		{s.alice, "/@alice", asPage},
	}
}

// pictureQuestions ask for the bytes of each picture: of alice, of the emoji, and of
// posts.
func (s *served) pictureQuestions(posts []gotosocialtest.Status) []question {
	s.t.Helper()
	q := []question{{s.alice, s.alice.Account.Avatar, asBytes}, {s.alice, s.alice.Account.Header, asBytes}}
	var emojis []struct {
		URL    string
		Static string `json:"static_url"`
	}
	s.read("/api/v1/custom_emojis", &emojis)
	for _, e := range emojis {
		q = append(q, question{s.alice, e.URL, asBytes}, question{s.alice, e.Static, asBytes})
	}
	var own []gotosocialtest.Status
	s.read("/api/v1/accounts/"+s.alice.Account.ID+"/statuses", &own)
	for _, post := range append(own, posts...) {
		for _, a := range post.Media {
			q = append(q, question{s.alice, a.URL, asBytes}, question{s.alice, a.PreviewURL, asBytes})
		}
	}
	if len(q) < 8 {
		s.t.Fatalf("only %d pictures: this proves little", len(q))
	}
	return q
}

// read reads an answer for alice into v.
func (s *served) read(path string, v any) {
	s.t.Helper()
	text, err := s.alice.Get(s.t.Context(), path, asJSON)
	testkit.OK(s.t, err)
	testkit.OK(s.t, json.Unmarshal(text, v))
}

// ask asks questions, and returns the answers.
func (s *served) ask(questions []question) (answers []string) {
	s.t.Helper()
	for _, q := range questions {
		answer, err := s.answer(q)
		testkit.OK(s.t, err)
		answers = append(answers, answer)
	}
	return answers
}

// answersAsBefore asks questions again. The old tokens must work, and no answer may
// differ.
func (s *served) answersAsBefore(questions []question, before []string) {
	s.t.Helper()
	for i, q := range questions {
		answer, err := s.answer(q)
		if err != nil {
			s.t.Error(err)
		} else if answer != before[i] {
			at := 0
			for ; at < min(len(answer), len(before[i])) && answer[at] == before[i][at]; at++ {
			}
			at = max(0, at-100)
			s.t.Errorf("%s answers\n… %.200s\nbefore\n… %.200s", q.path, answer[at:], before[i][at:])
		}
	}
}

// answer asks a question. The answer has the hash of bytes, and JSON without the number
// of bob's posts.
func (s *served) answer(q question) (string, error) {
	text, err := q.as.Get(s.t.Context(), q.path, q.form)
	switch {
	case err != nil:
		return "", err
	case len(text) == 0:
		return "", fmt.Errorf("%s has no bytes", q.path)
	case q.form == asBytes:
		return fmt.Sprintf("%x", sha256.Sum256(text)), nil
	case q.form != asJSON:
		return string(text), nil
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return "", fmt.Errorf("%s: %w", q.path, err)
	}
	s.forgetPosts(value)
	text, err = json.Marshal(value)
	return string(text), err
}

// forgetPosts removes the number of bob's posts from JSON.
func (s *served) forgetPosts(value any) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			s.forgetPosts(element)
		}
	case map[string]any:
		if v["id"] == s.bob.Account.ID {
			delete(v, "statuses_count")
			delete(v, "last_status_at")
		}
		for _, member := range v {
			s.forgetPosts(member)
		}
	}
}

// postQuestions ask for posts of bob.
func (s *served) postQuestions(posts []gotosocialtest.Status) (q []question) {
	for _, post := range posts {
		q = append(q, question{s.bob, "/api/v1/statuses/" + post.ID, asJSON})
	}
	return q
}
