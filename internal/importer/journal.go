package importer

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Counts says what became of the records so far.
type Counts struct {
	Lines    int `json:"lines"` // records read; the sum of the next three, but for a dry run
	Created  int `json:"created"`
	Updated  int `json:"updated"`
	Rejected int `json:"rejected"`
	Consents int `json:"consents,omitempty"` // recorded besides
}

func (c *Counts) add(more Counts) {
	c.Lines += more.Lines
	c.Created += more.Created
	c.Updated += more.Updated
	c.Rejected += more.Rejected
	c.Consents += more.Consents
}

// Reject is a record that was turned away. It says where and why, and has no value.
type Reject struct {
	Line   int    `json:"line"`   // of the file, on which the record starts
	Record int    `json:"record"` // its number, a header not counted
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// state is what is known for sure: everything up to Counts.Lines is stored or rejected.
type state struct {
	Identity Identity  `json:"identity"`
	Target   string    `json:"target"` // the vault it goes to
	Batch    int       `json:"batch"`
	Newest   []int64   `json:"newest"` // by worker: when the newest subject it created was made, Unix milliseconds
	Counts   Counts    `json:"counts"`
	Rejects  int64     `json:"rejects_size"` // bytes of the rejects file that belong to it
	Seconds  float64   `json:"seconds"`
	Started  time.Time `json:"started"`
}

// JournalConfig says where an import keeps its progress and its rejects.
type JournalConfig struct {
	State   string // file of the progress; "" keeps none
	Rejects string // file of the rejects; "" keeps none. It is made when there is one.
	Restart bool   // forget earlier progress
	Target  string // tells the vault from others
	Batch   int    // records a worker stores at once
	Workers int
}

// Journal keeps the progress of an import so that it can go on after an interruption.
type Journal struct {
	config  JournalConfig
	state   state
	resumed bool
	rejects *os.File // nil until there is one
}

// OpenJournal starts a journal, or goes on with the one that an interrupted import of the same
// table has left. A journal of something else is a KindConflict error.
func OpenJournal(config JournalConfig, table *Table, now time.Time) (*Journal, error) {
	if config.Batch < 1 || config.Batch > maxBatch || config.Workers < 1 || config.Workers > maxWorkers {
		return nil, privacy.Invalid("invalid_batch", "a batch has 1 to 10000 records, and 1 to 64 workers store them")
	}
	j := &Journal{config: config}
	previous, found, err := config.previous()
	if err != nil {
		return nil, err
	}
	// One that has nothing on record yet can be forgotten.
	same := previous.Identity == table.Identity() && previous.Target == config.Target
	if found && (same || previous.Counts.Lines > 0) {
		if !same {
			return nil, privacy.Conflict("other_import", "the state file belongs to an import of another file, with another mapping or into another vault; --restart forgets it")
		}
		j.state, j.resumed = previous, true
		return j, j.rewindRejects()
	}
	j.state = state{Identity: table.Identity(), Target: config.Target, Batch: config.Batch, Started: now.UTC(), Newest: make([]int64, config.Workers)}
	for i := range j.state.Newest {
		j.state.Newest[i] = now.UnixMilli() - 1
	}
	if config.Rejects != "" {
		if err := os.Remove(config.Rejects); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, unwritable(err)
		}
	}
	if config.State == "" {
		return j, nil
	}
	// At once: what the first round creates is younger than this, also when its end is never recorded.
	return j, unwritable(j.save())
}

func (c JournalConfig) previous() (state, bool, error) {
	if c.State == "" || c.Restart {
		return state{}, false, nil
	}
	text, err := os.ReadFile(c.State)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, false, nil
	}
	if err != nil {
		return state{}, false, unreadable(err)
	}
	var s state
	if json.Unmarshal(text, &s) != nil || s.Batch < 1 || s.Batch > maxBatch || len(s.Newest) < 1 || len(s.Newest) > maxWorkers || s.Counts.Lines < 0 {
		return state{}, false, privacy.Conflict("invalid_state_file", "the state file is not one; --restart forgets it")
	}
	return s, true, nil
}

// rewindRejects cuts off what was written after the progress was last kept.
func (j *Journal) rewindRejects() error {
	if j.config.Rejects == "" || j.state.Rejects == 0 {
		return nil
	}
	file, err := os.OpenFile(j.config.Rejects, os.O_WRONLY, 0o600)
	if err != nil {
		return unwritable(err)
	}
	info, err := file.Stat()
	if err == nil && info.Size() < j.state.Rejects {
		err = errors.New("it is shorter than when the import was interrupted")
	}
	if err == nil {
		err = file.Truncate(j.state.Rejects)
	}
	if err == nil {
		_, err = file.Seek(j.state.Rejects, 0)
	}
	if err != nil {
		return errors.Join(unwritable(err), file.Close())
	}
	j.rejects = file
	return nil
}

// advance puts a finished round on record: its rejects first, then that all of it is done.
func (j *Journal) advance(counts Counts, rejects []Reject, newest []int64, seconds float64) error {
	if err := j.writeRejects(rejects); err != nil {
		return unwritable(err)
	}
	j.state.Counts.add(counts)
	j.state.Seconds = seconds
	copy(j.state.Newest, newest)
	if j.config.State == "" {
		return nil
	}
	return unwritable(j.save())
}

func (j *Journal) writeRejects(rejects []Reject) error {
	if j.config.Rejects == "" || len(rejects) == 0 {
		return nil
	}
	if j.rejects == nil {
		file, err := os.OpenFile(j.config.Rejects, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		j.rejects = file
	}
	out := bufio.NewWriter(j.rejects)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, reject := range rejects {
		if err := encoder.Encode(reject); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	end, err := j.rejects.Seek(0, 1)
	j.state.Rejects = end
	return errors.Join(err, j.rejects.Sync())
}

// save replaces the state file at one stroke: a crash leaves the old one or the new one.
func (j *Journal) save() error {
	text, err := json.Marshal(j.state)
	if err != nil {
		return err
	}
	folder := filepath.Dir(j.config.State)
	file, err := os.CreateTemp(folder, ".import-state-*") // readable by its owner only
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), j.config.State)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncFolder(folder)
}

// syncFolder makes a rename durable.
func syncFolder(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// finish forgets the progress of an import that has come to its end.
func (j *Journal) finish() error {
	if j.config.State == "" {
		return nil
	}
	if err := os.Remove(j.config.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unwritable(err)
	}
	return nil
}

// abandon leaves nothing behind of an import that could not begin.
func (j *Journal) abandon() error {
	if j.state.Counts.Lines > 0 {
		return nil
	}
	return j.finish()
}

// Resumed reports whether the import goes on after an interruption, and after how many records.
func (j *Journal) Resumed() (after int, ok bool) { return j.state.Counts.Lines, j.resumed }

// Close closes the rejects file.
func (j *Journal) Close() error {
	if j.rejects == nil {
		return nil
	}
	return unwritable(j.rejects.Close())
}

func unwritable(err error) error {
	if err == nil {
		return nil
	}
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "file_unwritable", Detail: "the rejects or the state of the import cannot be written", Cause: err}
}
