package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRepositoryIDSurvivesPaper(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var id RepositoryID
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id"))
		s := id.String()
		if got, err := ParseRepositoryID(s); err != nil || got != id || len(s) != 61 || !strings.HasPrefix(s, "hf1") {
			t.Fatalf("%s: %v, %v", s, got, err)
		}
		// The checksum detects any wrong character.
		at := rapid.IntRange(0, len(s)-1).Draw(t, "at")
		c := bech32Alphabet[rapid.IntRange(0, 31).Draw(t, "to")]
		if bad := s[:at] + string(c) + s[at+1:]; bad != s {
			if _, err := ParseRepositoryID(bad); err == nil {
				t.Fatalf("%s was taken for %s", bad, s)
			}
		}
	})
}

// The vectors come from BIP 173.
func TestBech32MatchesTheStandard(t *testing.T) {
	if got := bech32("a", nil); got != "a12uel5l" {
		t.Errorf("got %s", got)
	}
	if _, err := parseBech32("abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"); err != nil {
		t.Error(err)
	}
}

// owners returns an owner of every kind that needs no hardware.
func owners(t testing.TB) map[string]struct {
	owner    Owner
	identity age.Identity
} {
	t.Helper()
	out := map[string]struct {
		owner    Owner
		identity age.Identity
	}{}
	add := func(kind string, owner Owner, identity age.Identity, errs ...error) {
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		out[kind] = struct {
			owner    Owner
			identity age.Identity
		}{owner, identity}
	}
	identity, recipient, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	ids, _, err := ReadIdentities(strings.NewReader(identity), nil)
	owner, err2 := ParseOwner(recipient)
	add("X25519", owner, ids[0], err, err2)

	hybrid, err := age.GenerateHybridIdentity()
	owner, err2 = ParseOwner(hybrid.Recipient().String())
	add("post-quantum hybrid", owner, hybrid, err, err2)

	public, private := sshKey(t)
	ids, _, err = ReadIdentities(bytes.NewReader(private), nil)
	owner, err2 = ParseOwner(public)
	add("ssh", owner, ids[0], err, err2)

	owner, err = PassphraseOwner("correct horse")
	if scrypt, ok := owner.Recipient.(*age.ScryptRecipient); ok {
		scrypt.SetWorkFactor(10) // the usual factor takes a second for each Open
	}
	id, err2 := PassphraseIdentity("correct horse")
	add("passphrase", owner, id, err, err2)
	return out
}

func TestEachOwnerOpensTheRepository(t *testing.T) {
	k := newKeys(t)
	host, err := k.Certify("example.org", 1, "")
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := NewSealer(host.Recipient)
	if err != nil {
		t.Fatal(err)
	}
	var pack bytes.Buffer
	w, err := sealer.Seal(&pack)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "a chunk")
	w.Close()
	stranger, _ := age.GenerateX25519Identity()
	for kind, o := range owners(t) {
		object, err := k.SealTo(o.owner)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		got, err := OpenKeys(object, k.Repository, []age.Identity{stranger, o.identity})
		if kind == "passphrase" { // scrypt stands alone
			got, err = OpenKeys(object, k.Repository, []age.Identity{o.identity})
		}
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		opener, err := got.Opener()
		if err != nil {
			t.Fatal(err)
		}
		r, err := opener.Open(bytes.NewReader(pack.Bytes()))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if text, _ := io.ReadAll(r); string(text) != "a chunk" {
			t.Errorf("%s: opened %q", kind, text)
		}
		if _, err := OpenKeys(object, k.Repository, []age.Identity{stranger}); !errors.Is(err, ErrNotOwner) {
			t.Errorf("%s: a stranger got %v", kind, err)
		}
		if _, err := OpenKeys(object, newKeys(t).Repository, []age.Identity{o.identity}); !errors.Is(err, ErrForged) {
			t.Errorf("%s: for another repository: %v", kind, err)
		}
	}
}

func TestEveryFlippedBitOfAKeyObjectIsNoticed(t *testing.T) {
	k := newKeys(t)
	o := owners(t)["X25519"]
	object, err := k.SealTo(o.owner)
	if err != nil {
		t.Fatal(err)
	}
	for at := range object {
		for bit := range 8 {
			object[at] ^= 1 << bit
			if _, err := OpenKeys(object, k.Repository, []Identity{o.identity}); err == nil {
				t.Fatalf("bit %d of byte %d", bit, at)
			}
			object[at] ^= 1 << bit
		}
		if _, err := OpenKeys(object[:at], k.Repository, []Identity{o.identity}); err == nil {
			t.Fatalf("cut after %d bytes", at)
		}
	}
}

func TestEveryEpochCanBeOpened(t *testing.T) {
	k := newKeys(t)
	first, _ := k.Certify("example.org", 1, "")
	next, _ := age.GenerateX25519Identity()
	k.Epochs = append(k.Epochs, Epoch{2, next.String()})
	second, err := k.Certify("example.org", 1, "")
	if err != nil || second.Recipient == first.Recipient || second.Epoch != 2 {
		t.Fatalf("the new epoch is not used: %+v, %v", second, err)
	}
	opener, err := k.Opener()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*Host{first, second} {
		s, _ := NewSealer(h.Recipient)
		var b bytes.Buffer
		w, _ := s.Seal(&b)
		w.Close()
		if _, err := opener.Open(&b); err != nil {
			t.Errorf("epoch %d: %v", h.Epoch, err)
		}
	}
}

func TestCertificateBindsRepositoryInstanceAndGeneration(t *testing.T) {
	k := newKeys(t)
	h, err := k.Certify("example.org", 2, strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Certificate.Verify(k.Repository, "example.org"); err != nil {
		t.Fatal(err)
	}
	other := newKeys(t).Repository
	for name, check := range map[string]func() error{
		"another repository": func() error { return h.Certificate.Verify(other, "example.org") },
		"another instance":   func() error { return h.Certificate.Verify(k.Repository, "example.com") },
		"another generation": func() error {
			c := h.Certificate
			c.Generation = 3
			return c.Verify(k.Repository, "example.org")
		},
		"another end": func() error {
			c := h.Certificate
			c.After = ""
			return c.Verify(k.Repository, "example.org")
		},
		"another key": func() error {
			c := h.Certificate
			key, _, _ := ed25519.GenerateKey(nil)
			c.Key = []byte(key)
			return c.Verify(k.Repository, "example.org")
		},
	} {
		if err := check(); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFilesAreSecretAndNeverOverwritten(t *testing.T) {
	k := newKeys(t)
	h, _ := k.Certify("example.org", 1, "")
	path := filepath.Join(t.TempDir(), "host.json")
	if err := h.Save(path); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := h.Save(path); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "move the file away") {
		t.Errorf("overwritten: %v", err)
	}
	got, err := LoadHost(path)
	if err != nil || !bytes.Equal(got.SigningKey, h.SigningKey) || got.Polynomial != h.Polynomial {
		t.Errorf("loaded %+v, %v", got, err)
	}
	text, _ := os.ReadFile(path)
	for at := 0; at < len(text); at += 5 {
		bad := filepath.Join(t.TempDir(), "bad.json")
		os.WriteFile(bad, text[:at], 0o600)
		if _, err := LoadHost(bad); err == nil {
			t.Fatalf("a key file cut to %d bytes was read", at)
		}
	}
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	identity, _, _ := NewIdentity()
	_, err := ParseOwner(identity)
	_, _, err2 := ReadIdentities(strings.NewReader(identity[:len(identity)-1]), nil)
	path := filepath.Join(t.TempDir(), "host.json")
	os.WriteFile(path, []byte(`{"signing_key":"`+identity), 0o600)
	_, err3 := LoadHost(path)
	for _, err := range []error{err, err2, err3} {
		if err == nil || strings.Contains(strings.ToUpper(err.Error()), identity[16:30]) {
			t.Errorf("error %v", err)
		}
	}
}

func TestIdentityIsReadFromPaperAndFiles(t *testing.T) {
	identity, recipient, _ := NewIdentity()
	id := newKeys(t).Repository
	path := filepath.Join(t.TempDir(), "owner.txt")
	if err := SaveIdentity(path, identity, recipient, id); err != nil {
		t.Fatal(err)
	}
	f, _ := os.Open(path)
	defer f.Close()
	ids, pin, err := ReadIdentities(f, nil)
	if err != nil || len(ids) != 1 || pin != id {
		t.Errorf("%d identities, pin %v, %v", len(ids), pin, err)
	}
	if _, _, err := ReadIdentities(strings.NewReader("  "+strings.ToLower(identity)+"  \n"), nil); err != nil {
		t.Errorf("in lower case: %v", err)
	}
	if _, _, err := ReadIdentities(strings.NewReader("# nothing\n"), nil); err == nil {
		t.Error("a file without an identity was read")
	}
	var locked bytes.Buffer
	scrypt, _ := age.NewScryptRecipient("horse")
	scrypt.SetWorkFactor(10)
	w, _ := age.Encrypt(&locked, scrypt)
	fmt.Fprintln(w, identity)
	w.Close()
	passphrase := func() ([]byte, error) { return []byte("horse"), nil }
	if ids, _, err := ReadIdentities(&locked, passphrase); err != nil || len(ids) != 1 {
		t.Errorf("a file with a passphrase: %v", err)
	}
}

// Key objects of format 1 stay readable for ever.
func TestGoldenKeyObject(t *testing.T) {
	const object, identity = "testdata/key-1", "testdata/key-1.identity"
	if *update {
		k := newKeys(t)
		secret, recipient, _ := NewIdentity()
		owner, _ := ParseOwner(recipient)
		sealed, err := k.SealTo(owner)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(identity)
		if err := os.WriteFile(object, sealed, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := SaveIdentity(identity, secret, recipient, k.Repository); err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(identity)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, pin, err := ReadIdentities(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(sealed, pin, ids); err != nil {
		t.Error(err)
	}
}

func FuzzIdentities(f *testing.F) {
	f.Add([]byte("# repository: hf1\nAGE-SECRET-KEY-1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ReadIdentities(bytes.NewReader(text), func() ([]byte, error) { return nil, errors.New("none") })
	})
}

// A key object has one form: nobody can make a second one without the root key.
func TestKeyObjectWithAnotherSpellingIsRefused(t *testing.T) {
	k := newKeys(t)
	o := owners(t)["X25519"]
	object, err := k.SealTo(o.owner)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(object), o.identity)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	seal := func(text string) []byte {
		var b bytes.Buffer
		w, err := age.Encrypt(&b, o.owner.Recipient)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		w.Close()
		return b.Bytes()
	}
	if _, err := OpenKeys(seal(string(text)), k.Repository, []Identity{o.identity}); err != nil {
		t.Fatal(err)
	}
	line, signature, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	// What only the root could sign, with two meanings.
	double := strings.Replace(line, `"owner":`, `"Kind":"key","owner":`, 1)
	signed := base64.StdEncoding.EncodeToString(
		ed25519.Sign(ed25519.NewKeyFromSeed(k.Root), []byte(keyContext+double)))
	for what, spelt := range map[string]string{
		"a carriage return":  line + "\n" + signature + "\r\n",
		"one in the middle":  line + "\n" + signature[:5] + "\r" + signature[5:] + "\n",
		"no padding":         line + "\n" + strings.TrimRight(signature, "=") + "\n",
		"a member twice":     double + "\n" + signed + "\n",
		"an unfinished line": line + "\n" + signature,
	} {
		if _, err := OpenKeys(seal(spelt), k.Repository, []Identity{o.identity}); err == nil {
			t.Errorf("%s: the key object counts", what)
		}
	}
}
