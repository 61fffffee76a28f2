package rebuild

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"holdfast/disk"
	"holdfast/rebuild/machine"
	"holdfast/remedy"
)

// journal is the memory of a run across interruptions. It lies in the work folder.
type journal struct {
	State   state   `json:"state"`
	Request Request `json:"request"`
	// Nonce tells the run from a later run with an equal request. Without a nonce, the
	// later run would mistake the first run's database for its result.
	Nonce string `json:"nonce"`
}

const journalName = "journal.json"

// state is the current step of a run. The steps before are done.
type state string

// The states, in the order of the steps. The package comment has the drawing.
const (
	unbegun     state = "" // without a journal
	createUser  state = "user"
	fetch       state = "fetch"
	putDatabase state = "database"
	putMedia    state = "media"
	putFiles    state = "files"
	check       state = "check"
	giveStorage state = "storage"
	clearUp     state = "clear"
)

// successors are the transitions: for each state the next state. After clearUp the
// journal is gone.
var successors = map[state]state{
	unbegun:     createUser,
	createUser:  fetch,
	fetch:       putDatabase,
	putDatabase: putMedia,
	putMedia:    putFiles,
	putFiles:    check,
	check:       giveStorage,
	giveStorage: clearUp,
}

// reached reports whether the step of a state has begun, or is done.
func (s state) reached(step state) bool {
	for at := unbegun; ; at = successors[at] {
		switch {
		case at == step:
			return true
		case at == s || at == clearUp:
			return false
		}
	}
}

// newJournal returns the journal of a new run.
func newJournal(r Request) journal { return journal{Request: r, Nonce: rand.Text()} }

// runID names the run, the temporary files of the run, and the run's databases in
// PostgreSQL. Other users can't guess the name.
func (j *journal) runID() string {
	sum := sha256.Sum256([]byte(j.Nonce + j.Request.ID()))
	return base32.StdEncoding.EncodeToString(sum[:])[:26]
}

// enter moves the run to the next state, durably. The renames of the last step become
// durable first: they are on the disk of the work folder, and some file systems write the
// journal alone.
func (j *journal) enter(next state, file string) error {
	if next == unbegun || successors[j.State] != next {
		return fmt.Errorf("rebuild: state %q can't follow %q", next, j.State)
	}
	moved := *j
	moved.State = next
	text, err := json.Marshal(moved)
	if err != nil {
		return err
	}
	if err := replaceAfterAll(file, text); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	*j = moved
	return nil
}

// replaceAfterAll is [disk.Replace] after all earlier writes on the disk.
func replaceAfterAll(file string, text []byte) error {
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := disk.SyncDisk(folder); err != nil {
		return err
	}
	return disk.Replace(file, text)
}

// readJournal reads a journal. Without a file, the state is unbegun.
func readJournal(file string) (j journal, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, err
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return j, fmt.Errorf("read %s: %w", file, err)
	}
	if !slices.Contains(states(), j.State) {
		return j, &remedy.Error{Kind: remedy.Refused, Effect: nothing,
			What: "another version of Holdfast wrote " + file,
			Fix:  "finish that restore with that version, or delete the folder of the file and begin anew"}
	}
	return j, nil
}

// states are the states of a journal, in their order.
func states() (all []state) {
	for s := successors[unbegun]; s != unbegun; s = successors[s] {
		all = append(all, s)
	}
	return all
}

// subjectSteps are the steps that change the subject of a finding.
var subjectSteps = map[machine.Subject]state{
	machine.SpaceSubject: fetch, machine.DatabaseSubject: putDatabase, machine.MediaSubject: putMedia,
	machine.FileSubject: putFiles,
}

// causes reports whether a finding may be about the run's own work.
func (j *journal) causes(s machine.Subject) bool {
	step, changes := subjectSteps[s]
	return changes && j.State.reached(step)
}
