package sample

import (
	"crypto/ecdh"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

//go:embed keys.pem
var keysPEM []byte

// keys returns the keys of the instance's account and of the local accounts, in
// this order. The seed can't make keys: crypto/rsa takes no random numbers from its
// caller.
func keys() ([]*rsa.PrivateKey, error) {
	var keys []*rsa.PrivateKey
	for block, rest := pem.Decode(keysPEM); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read embedded key: %w", err)
		}
		keys = append(keys, key)
	}
	if len(keys) != 1+len(locals) {
		return nil, errors.New("read embedded keys: not one for each account")
	}
	return keys, nil
}

var locals = []string{"ada", "bruno", "chloe"}

// people adds the accounts, the instances, the follows and the secrets.
func (c *change) people(remotes int) {
	keys, err := keys()
	if err != nil {
		c.err = err
		return
	}
	self := account{c.anyID(), c.Domain(), "", "https://" + c.Domain() + "/users/" + c.Domain()}
	c.addAccount(self, keys[0])
	for i, name := range locals {
		a := account{c.anyID(), name, "", "https://" + c.Domain() + "/users/" + name}
		c.addAccount(a, keys[1+i])
		c.addUser(a, i == 0)
	}
	for i := range remotes {
		domain := fmt.Sprintf("s%d.example", i/3)
		if i%3 == 0 {
			c.addInstance(domain)
		}
		name := fmt.Sprintf("%s%d", c.sentence(1), i)
		a := account{c.anyID(), name, domain, "https://" + domain + "/users/" + name}
		c.addAccount(a, nil)
	}
	c.addInstance(c.Domain())
	c.meet()
	for _, a := range c.local {
		for _, i := range c.rnd.Perm(len(c.remote))[:min(10, len(c.remote))] {
			c.addFollow(a, c.remote[i])
		}
	}
	c.addSecrets()
}

// anyID returns an identifier of a random time in the last years. GoToSocial hides
// the age of an account in the same way.
func (c *change) anyID() string { return ulid(c.now.Add(-c.within(1000*day)), c.rnd) }

// addAccount adds an account. A local account has a key.
func (c *change) addAccount(a account, key *rsa.PrivateKey) {
	r := row{
		"id": a.id, "created_at": c.stamp(), "updated_at": c.stamp(), "username": a.name, "display_name": a.name,
		"emojis": "null", "also_known_as_uris": "null", "note": "<p>" + c.sentence(12) + "</p>",
		"locked": false, "discoverable": true,
		"uri": a.uri, "url": a.uri, "inbox_uri": a.uri + "/inbox", "outbox_uri": a.uri + "/outbox",
		"following_uri": a.uri + "/following", "followers_uri": a.uri + "/followers",
		"featured_collection_uri": a.uri + "/collections/featured", "public_key_uri": a.uri + "/main-key",
		"actor_type": 4, // a person
	}
	if a.name == c.Domain() {
		r["actor_type"] = 5 // a service
	}
	stats := row{
		"account_id": a.id, "regenerated_at": c.stamp(),
		"followers_count": c.rnd.IntN(500), "following_count": c.rnd.IntN(500),
		"follow_requests_count": 0, "statuses_count": c.rnd.IntN(5000), "statuses_pinned_count": 0,
	}
	if key != nil {
		r["private_key"] = c.json(key)
		r["public_key"] = c.json(key.PublicKey)
		stats["statuses_count"] = 0 // recount counts local statuses; a remote account claims a number
	} else {
		r["domain"] = a.domain
		r["fetched_at"] = c.stamp()
		r["public_key"] = c.json(rsa.PublicKey{N: new(big.Int).SetBytes(append(c.random(255), 1)), E: 65537})
	}
	c.insert("accounts", r)
	c.insert("account_stats", stats)
}

// json returns a key in the form of GoToSocial: numbers of 600 digits.
func (c *change) json(v any) string {
	b, err := json.Marshal(v)
	if c.err == nil {
		c.err = err
	}
	return string(b)
}

func (c *change) random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.rnd.Uint32())
	}
	return b
}

// password is "holdfast" after bcrypt, for all three users.
const password = "$2a$10$wgWXabS3RuVCwcnZfVRNeeVZtSc72V/8N8p5rxgS5rlcP7UhiBkq6"

func (c *change) addUser(a account, admin bool) {
	c.insert("users", row{
		"id": c.anyID(), "created_at": c.stamp(), "updated_at": c.stamp(),
		"email":      a.name + "@" + c.Config.AccountDomain,
		"account_id": a.id, "confirmed_at": c.stamp(), "moderator": admin, "admin": admin,
		"disabled": false, "approved": true, "encrypted_password": password,
	})
	c.insert("account_settings", row{"account_id": a.id, "created_at": c.stamp(), "updated_at": c.stamp()})
}

func (c *change) addInstance(domain string) {
	c.insert("instances", row{"id": c.anyID(), "created_at": c.stamp(), "updated_at": c.stamp(),
		"domain": domain, "title": c.sentence(2), "uri": "https://" + domain})
}

func (c *change) addFollow(from, to account) {
	id := c.anyID()
	c.insert("follows", row{"id": id, "created_at": c.stamp(), "updated_at": c.stamp(),
		"uri": from.uri + "/follow/" + id, "account_id": from.id, "target_account_id": to.id,
		"show_reblogs": true, "notify": false})
}

// addSecrets adds sessions, the VAPID key pair and a client secret.
func (c *change) addSecrets() {
	c.insert("router_sessions", row{"id": c.anyID(), "created_at": c.stamp(), "updated_at": c.stamp(),
		"auth": c.random(32), "crypt": c.random(32)})
	pair, err := ecdh.P256().NewPrivateKey(append([]byte{1}, c.random(31)...))
	if err != nil {
		c.err = err
		return
	}
	c.insert("vapid_key_pairs", row{"id": 0, "public": base64.RawURLEncoding.EncodeToString(pair.PublicKey().Bytes()),
		"private": base64.RawURLEncoding.EncodeToString(pair.Bytes())})
	c.insert("applications", row{
		"id": c.anyID(), "name": c.Domain() + " instance application", "website": "https://" + c.Domain(),
		"redirect_uris": `["https://` + c.Domain() + `"]`,
		"client_id":     c.self.id, "client_secret": c.anyID(), "scopes": "write:accounts",
	})
}

// certificate writes a key and a self-signed certificate to the path for Let's
// Encrypt: among the media, and without a row.
func (c *change) certificate() {
	keys, err := keys()
	if err != nil {
		c.err = err
		return
	}
	// PKCS #1 signatures use no random numbers.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: c.Domain()}, DNSNames: []string{c.Domain()},
		NotBefore: dawn, NotAfter: dawn.Add(20 * 365 * day).Truncate(time.Second),
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(nil, template, template, &keys[0].PublicKey, keys[0])
	if err != nil {
		c.err = err
		return
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(keys[0])})
	c.write("certs/"+c.Domain(), append(key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...))
}
