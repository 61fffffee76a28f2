package rebuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// checkedMedia is how many media a check looks for.
const checkedMedia = 200

// Check looks whether the rebuilt instance is what the snapshot said: its local
// accounts, that each one's keys belong together, and a sample of the media. It
// starts no server.
func (r *Rebuild) Check(ctx context.Context) (notes []string, err error) {
	err = r.rebuilt(ctx, func(t gotosocial.Tables) error {
		accounts, err := r.checkAccounts(ctx, t)
		if err != nil {
			return err
		}
		media, err := r.checkMedia(ctx, t)
		notes = []string{accounts, media}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return notes, nil
}

func (r *Rebuild) checkAccounts(ctx context.Context, t gotosocial.Tables) (note string, err error) {
	var n int64
	err = t.Each(ctx, "SELECT username, private_key, public_key FROM accounts WHERE domain IS NULL ORDER BY id", nil, func(values []*string) error {
		name := gotosocial.Text(values[0])
		if err := gotosocial.CheckKeyPair(gotosocial.Text(values[1]), gotosocial.Text(values[2])); err != nil {
			return gotosocial.Damaged(fmt.Sprintf("account %s: %v", name, err))
		}
		if name != r.Domain {
			n++
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if r.Facts.Accounts != 0 && n != r.Facts.Accounts {
		return "", gotosocial.Damaged(fmt.Sprintf("%d local accounts, the snapshot has %d", n, r.Facts.Accounts))
	}
	return fmt.Sprintf("keys: those of %s belong together, and the instance's own", remedy.Plural(int(n), "local account")), nil
}

// checkMedia looks for media that rows name, chosen at random.
func (r *Rebuild) checkMedia(ctx context.Context, t gotosocial.Tables) (string, error) {
	var sample []string
	n := 0
	err := t.Each(ctx, gotosocial.LocalMedia, nil, func(values []*string) error {
		n++
		if len(sample) < checkedMedia {
			sample = append(sample, *values[0])
		} else if i := rand.IntN(n); i < checkedMedia {
			sample[i] = *values[0]
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	missing, place := 0, r.media()
	for _, key := range sample {
		if err := place.Find(ctx, key); errors.Is(err, fs.ErrNotExist) {
			missing++
		} else if err != nil {
			return "", fmt.Errorf("check media: %w", err)
		}
	}
	note := fmt.Sprintf("media: %d of %d looked for, ", len(sample), n)
	if missing == 0 {
		return note + "all are there", nil
	}
	return note + fmt.Sprintf("%d are not there: the snapshot is without them", missing), nil
}

// rebuilt opens the database, which no server uses yet.
func (r *Rebuild) rebuilt(ctx context.Context, use func(gotosocial.Tables) error) error {
	target, err := r.database()
	if err != nil {
		return err
	}
	t, err := target.Tables(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	return use(t)
}

// Rest is what a restore leaves to a person.
func (r *Rebuild) Rest(ctx context.Context) (rest []string) {
	if r.Given {
		rest = append(rest, fmt.Sprintf("the restore went by %s: give the server that configuration, in place of the snapshot's, before it starts", r.Config.File))
	}
	if version := r.Facts.GoToSocial; version != "" {
		rest = append(rest, fmt.Sprintf("install GoToSocial %s or newer, if it is not there: %s", version, fetchBinary(version)))
	} else {
		rest = append(rest, fetchBinary(""))
	}
	rest = append(rest,
		fmt.Sprintf("let the name %s lead to this machine (DNS), and the web server or proxy in front of GoToSocial be as it was", r.Domain),
		"make sure that the old server never starts again",
		"start GoToSocial: "+r.start(),
		"set up Holdfast here: holdfast init with a new prefix in the bucket; the old snapshots stay restorable with the old kit",
	)
	if target, err := r.database(); err == nil {
		rest = append(rest, target.Rest(ctx)...)
	}
	return rest
}

func (r *Rebuild) start() string {
	for _, f := range r.Files {
		if dir, name := filepath.Split("/" + f.Path); dir == "/etc/systemd/system/" && filepath.Ext(name) == ".service" {
			return "systemctl daemon-reload && systemctl enable --now " + name
		}
	}
	return fmt.Sprintf("gotosocial --config-path %s server start, in %s, as its own user", r.Config.File, r.Config.WorkingDir)
}
