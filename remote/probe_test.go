package remote_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/remote"
	"holdfast/remote/remotetest"
)

func TestProbeNamesTheMissingRight(t *testing.T) {
	b := remotetest.NewBucket(t)
	url := "s3+http://" + b.Endpoint + "/" + b.Name + "/prefix"
	probe := func(rights ...string) error {
		s, err := remote.Open(t.Context(), url, b.Limited(t, rights...))
		testkit.OK(t, err)
		defer s.Close()
		return remote.Probe(t.Context(), s)
	}
	all := []string{"s3:PutObject", "s3:GetObject", "s3:ListBucket"}
	if err := probe(all...); err != nil {
		t.Errorf("with all rights of a backup: %v", err)
	}
	for i, missing := range all {
		err := probe(all[(i+1)%3], all[(i+2)%3])
		if !errors.Is(err, remote.ErrDenied) || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestProbeLeavesNothingIfItMayDelete(t *testing.T) {
	s := create(t, filepath.Join(t.TempDir(), "remote"), remote.Config{})
	testkit.OK(t, remote.Probe(t.Context(), s))
	for o, err := range s.List(t.Context(), "") {
		t.Errorf("Probe left %+v, %v", o, err)
	}
}

func TestProbeNoticesOtherBytes(t *testing.T) {
	s := remotetest.NewFaulty(&remotetest.Memory{}, func(r remotetest.Request) (f remotetest.Fault) {
		if r.Op == remotetest.Get {
			f.FlipGet = 3
		}
		return f
	})
	if err := remote.Probe(t.Context(), s); err == nil || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("Probe = %v", err)
	}
}
