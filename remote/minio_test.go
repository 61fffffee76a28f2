package remote_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/remote"
	"holdfast/remote/remotetest"
)

func TestMinIORefusals(t *testing.T) {
	b := remotetest.NewBucket(t)
	address := "s3+http://" + b.Endpoint + "/" + b.Name
	data := make([]byte, 16<<20)
	name := remotetest.Name("packs", data)

	t.Run("WrongSecretKey", func(t *testing.T) {
		cfg := remote.Config{AccessKey: b.AccessKey, SecretKey: "hunter2hunter2"}
		_, err := remote.Create(t.Context(), address, cfg)
		if !errors.Is(err, remote.ErrCredentials) {
			t.Errorf("Create = %v, want ErrCredentials", err)
		}
		s, err := remote.Open(t.Context(), address, cfg)
		testkit.OK(t, err)
		defer s.Close()
		_, getErr := s.Get(t.Context(), name)
		for op, err := range map[remotetest.Op]error{
			remotetest.Put: s.Put(t.Context(), name, bytes.NewReader(data), int64(len(data))), remotetest.Get: getErr,
			remotetest.List: listErr(t.Context(), s), remotetest.Delete: s.(remote.Pruner).Delete(t.Context(), name),
		} {
			if !errors.Is(err, remote.ErrCredentials) || strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("%v = %v, want ErrCredentials", op, err)
			}
		}
	})
	t.Run("WrongAccessKey", func(t *testing.T) {
		cfg := remote.Config{AccessKey: "nobody", SecretKey: b.SecretKey}
		_, err := remote.Create(t.Context(), address, cfg)
		if !errors.Is(err, remote.ErrCredentials) {
			t.Errorf("Create = %v, want ErrCredentials", err)
		}
	})
	t.Run("MissingBucket", func(t *testing.T) {
		cfg := remote.Config{AccessKey: b.AccessKey, SecretKey: b.SecretKey}
		_, err := remote.Create(t.Context(), "s3+http://"+b.Endpoint+"/nowhere", cfg)
		if err == nil || !strings.Contains(err.Error(), `no bucket "nowhere"`) {
			t.Errorf("Create = %v, want a word about the bucket", err)
		}
	})
}

func TestMinIORequestsPerCall(t *testing.T) {
	b := remotetest.NewBucket(t)
	var requests atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: b.Endpoint})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()

	cfg := remote.Config{AccessKey: b.AccessKey, SecretKey: b.SecretKey}
	s, err := remote.Open(t.Context(), "s3+http://"+front.Listener.Addr().String()+"/"+b.Name+"/prefix", cfg)
	testkit.OK(t, err)
	defer s.Close()
	var name string
	for _, call := range []struct {
		op remotetest.Op
		do func() error
	}{
		{remotetest.Put, func() error { name = put(t, s, "data"); return nil }},
		{remotetest.Get, func() error {
			body, err := s.Get(t.Context(), name)
			if err == nil {
				err = body.Close()
			}
			return err
		}},
		{remotetest.List, func() error { return listErr(t.Context(), s) }},
		{remotetest.Delete, func() error { return s.(remote.Pruner).Delete(t.Context(), name) }},
	} {
		before := requests.Load()
		testkit.OK(t, call.do())
		if n := requests.Load() - before; n != 1 {
			t.Errorf("%v made %d requests, want 1", call.op, n)
		}
	}
}

func TestMinIOBucketWithObjectLock(t *testing.T) {
	b := remotetest.NewLockedBucket(t)
	cfg := remote.Config{AccessKey: b.AccessKey, SecretKey: b.SecretKey}
	s := create(t, "s3+http://"+b.Endpoint+"/"+b.Name+"/prefix", cfg)
	defer s.Close()
	testkit.OK(t, remote.Probe(t.Context(), s))
	put(t, s, "data")
}
