package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// entry is a kind of line in an export. Names, order and optional fields are those
// of GoToSocial's internal/trans/model.
type entry struct {
	kind, table string
	fields      []field
}

// field is a key of a line, and the column of its value.
type field struct {
	key, column string
	encode      encoding
}

// encoding returns a column's value as JSON, or nil if the line has no such key.
type encoding func(value *string) (json []byte, err error)

var (
	accounts = &entry{kind: "account", table: "accounts", fields: []field{
		{"id", "id", text},
		{"createdAt", "created_at", moment},
		{"username", "username", text},
		{"domain", "domain", textIfAny},
		{"headerRemoteURL", "header_remote_url", textIfAny},
		{"avatarRemoteURL", "avatar_remote_url", textIfAny},
		{"displayName", "display_name", textIfAny},
		{"note", "note", textIfAny},
		{"noteRaw", "note_raw", textIfAny},
		{"locked", "locked", truth},
		{"discoverable", "discoverable", truth},
		{"uri", "uri", text},
		{"url", "url", text},
		{"inboxURI", "inbox_uri", text},
		{"outboxURI", "outbox_uri", text},
		{"followingUri", "following_uri", text},
		{"followersUri", "followers_uri", text},
		{"featuredCollectionUri", "featured_collection_uri", text},
		{"actorType", "actor_type", actorType},
		{"privateKey", "private_key", privateKey},
		{"publicKey", "public_key", publicKey},
		{"publicKeyUri", "public_key_uri", text},
		{"sensitizedAt", "sensitized_at", momentIfAny},
		{"silencedAt", "silenced_at", momentIfAny},
		{"suspendedAt", "suspended_at", momentIfAny},
		{"suspensionOrigin", "suspension_origin", textIfAny},
	}}

	blocks         = &entry{kind: "block", table: "blocks", fields: relation}
	follows        = &entry{kind: "follow", table: "follows", fields: relation}
	followRequests = &entry{kind: "followRequest", table: "follow_requests", fields: relation}

	domainBlocks = &entry{kind: "domainBlock", table: "domain_blocks", fields: []field{
		{"id", "id", text},
		{"createdAt", "created_at", moment},
		{"domain", "domain", text},
		{"createdByAccountID", "created_by_account_id", text},
		{"privateComment", "private_comment", textIfAny},
		{"publicComment", "public_comment", textIfAny},
		{"obfuscate", "obfuscate", truth},
		{"subscriptionID", "subscription_id", textIfAny},
	}}

	users = &entry{kind: "user", table: "users", fields: []field{
		{"id", "id", text},
		{"createdAt", "created_at", moment},
		{"email", "email", textIfAny},
		{"accountID", "account_id", text},
		{"encryptedPassword", "encrypted_password", text},
		{"reason", "reason", text},
		{"inviteID", "invite_id", textIfAny},
		{"locale", "locale", text},
		{"lastEmailedAt", "last_emailed_at", momentOrZero},
		{"confirmationToken", "confirmation_token", textIfAny},
		{"confirmationTokenSentAt", "confirmation_sent_at", momentIfAny},
		{"confirmedAt", "confirmed_at", momentIfAny},
		{"unconfirmedEmail", "unconfirmed_email", textIfAny},
		{"moderator", "moderator", truth},
		{"admin", "admin", truth},
		{"disabled", "disabled", truth},
		{"approved", "approved", truth},
		{"resetPasswordToken", "reset_password_token", textIfAny},
		{"resetPasswordSentAt", "reset_password_sent_at", momentIfAny},
	}}

	instances = &entry{kind: "instance", table: "instances", fields: []field{
		{"id", "id", text},
		{"createdAt", "created_at", moment},
		{"domain", "domain", text},
		{"title", "title", textIfAny},
		{"uri", "uri", text},
		{"suspendedAt", "suspended_at", momentIfAny},
		{"domainBlockID", "domain_block_id", textIfAny},
		{"shortDescription", "short_description", textIfAny},
		{"description", "description", textIfAny},
		{"terms", "terms", textIfAny},
		{"contactEmail", "contact_email", textIfAny},
		{"contactAccountUsername", "contact_account_username", textIfAny},
		{"contactAccountID", "contact_account_id", textIfAny},
		{"reputation", "reputation", number},
		{"version", "version", textIfAny},
	}}

	relation = []field{
		{"id", "id", text},
		{"createdAt", "created_at", moment},
		{"uri", "uri", text},
		{"accountId", "account_id", text},
		{"targetAccountId", "target_account_id", text},
	}

	entries = []*entry{accounts, blocks, follows, followRequests, domainBlocks, users, instances}
)

// row is a row of an entry's table, with a value for each field.
type row struct {
	entry  *entry
	values []*string
}

// value returns a pointer to a column's value.
func (r row) value(column string) **string {
	return &r.values[slices.IndexFunc(r.entry.fields, func(f field) bool { return f.column == column })]
}

// text returns a column's value, or "" for NULL.
func (r row) text(column string) string { return gotosocial.Text(*r.value(column)) }

// name names the row for a person.
func (r row) name() string {
	id := remedy.Printable(r.text("id"))
	if r.entry != accounts {
		return r.entry.kind + " " + id
	}
	return fmt.Sprintf("account @%s (%s)",
		strings.TrimSuffix(remedy.Printable(r.text("username"))+"@"+remedy.Printable(r.text("domain")), "@"), id)
}

// line returns the row in JSON, byte for byte as GoToSocial's own export.
func (r row) line() ([]byte, error) {
	if r.entry == accounts {
		if err := checkKeys(r); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"type":%q`, r.entry.kind)
	for i, f := range r.entry.fields {
		value, err := f.encode(r.values[i])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.column, err)
		}
		if value != nil {
			fmt.Fprintf(&b, `,%q:%s`, f.key, value)
		}
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

func text(v *string) ([]byte, error) { return json.Marshal(gotosocial.Text(v)) }

func textIfAny(v *string) ([]byte, error) {
	if gotosocial.Text(v) == "" {
		return nil, nil
	}
	return text(v)
}

// truth encodes a boolean: 0 and 1 in SQLite, f and t in PostgreSQL.
func truth(v *string) ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	is, err := strconv.ParseBool(*v)
	if err != nil {
		return nil, errUnfit
	}
	return strconv.AppendBool(nil, is), nil
}

func number(v *string) ([]byte, error) {
	if v == nil {
		return []byte("0"), nil
	}
	n, err := strconv.ParseInt(*v, 10, 64)
	if err != nil {
		return nil, errUnfit
	}
	return strconv.AppendInt(nil, n, 10), nil
}

// actorType encodes a number. Before GoToSocial 0.20 the column had a word.
func actorType(v *string) ([]byte, error) {
	if n, err := number(v); err == nil {
		return n, nil
	}
	return text(v)
}

func moment(v *string) ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	for _, layout := range moments {
		if t, err := time.Parse(layout, *v); err == nil {
			return json.Marshal(t.UTC())
		}
	}
	return nil, errUnfit
}

func momentIfAny(v *string) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return moment(v)
}

func momentOrZero(v *string) ([]byte, error) {
	if v == nil {
		return json.Marshal(time.Time{})
	}
	return moment(v)
}

// moments are the forms of a time, each with or without a fraction: GoToSocial's in
// SQLite, SQLite's own of current_timestamp, and PostgreSQL's.
var moments = []string{"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07", time.RFC3339}
