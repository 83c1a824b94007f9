package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"hubd/config"
	"hubd/persistence/bolt"
)

// storeCommand is hubd store: what an operator does with the file of a bolt store while no hub has it open, and with the
// history of any store.
type storeCommand struct {
	Verify  storeVerifyCommand  `cmd:"" help:"Look at everything in the file, print a summary and each problem, and exit with 0 or 1."`
	Compact storeCompactCommand `cmd:"" help:"Rewrite the file without its free pages. Ids and positions stay."`
	Export  storeExportCommand  `cmd:"" help:"Print the retained updates as lines of JSON, of a damaged file those that can be read."`
	Copy    storeCopyCommand    `cmd:"" help:"Copy the history of a store to another one, which must be empty. Order and ids stay."`
}

// storeFile is the argument of the commands.
type storeFile string

// Validate implements kong's interface of that name.
func (f storeFile) Validate() error {
	if _, isURL := f.url(); isURL {
		if f.path() == "" {
			return fmt.Errorf("%s is not the file of a bolt store; write a path or bolt://PATH", config.NewStore(string(f)))
		}
	}
	return nil
}

func (f storeFile) url() (config.Store, bool) {
	return config.NewStore(string(f)), strings.Contains(string(f), "://")
}

// path returns the path of the file, or nothing for the URL of another store.
func (f storeFile) path() string {
	store, isURL := f.url()
	switch {
	case !isURL:
		return string(f)
	case store.Scheme() == config.StoreBolt:
		return store.Path()
	}
	return ""
}

// storeVerifyCommand is hubd store verify.
type storeVerifyCommand struct {
	File storeFile `arg:"" name:"store" help:"Path or bolt:// URL of the store."`
}

// Run prints what the store holds and what is wrong with it.
func (c *storeVerifyCommand) Run(s *streams) error {
	out := bufio.NewWriter(s.out)
	v, err := bolt.Verify(c.File.path(), func(problem error) {
		fmt.Fprintln(out, "problem:", oneLine(problem.Error()))
	})
	if err == nil {
		printVerification(out, &v)
	}
	if flushed := out.Flush(); flushed != nil {
		return fmt.Errorf("print the result: %w", flushed)
	}
	if err == nil && v.Problems > 0 {
		err = fmt.Errorf("store %s has %d problems; \"hubd store export\" saves what can be read", c.File.path(), v.Problems)
	}
	return err
}

func printVerification(out io.Writer, v *bolt.Verification) {
	fmt.Fprintf(out, "format: %d\nevents: %d\n", v.Format, v.Events)
	if v.Events > 0 {
		fmt.Fprintf(out, "oldest: position %d, stored %s\n", v.Oldest, printTime(v.OldestTime))
		fmt.Fprintf(out, "newest: position %d, stored %s\n", v.Newest, printTime(v.NewestTime))
	}
	fmt.Fprintf(out, "bytes: %d\nfile: %d bytes, %d pages, %d of them free\n", v.Bytes, v.FileBytes, v.Pages, v.FreePages)
	if v.Problems == 0 {
		fmt.Fprintln(out, "the store is sound")
	}
}

func printTime(t time.Time) string {
	if t.IsZero() {
		return "at a time that cannot be read"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// storeCompactCommand is hubd store compact.
type storeCompactCommand struct {
	File storeFile `arg:"" name:"store" help:"Path or bolt:// URL of the store."`
}

// Run prints how long the file was and is.
func (c *storeCompactCommand) Run(s *streams) error {
	before, after, err := bolt.Compact(c.File.path())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.out, "before: %d bytes\nafter: %d bytes\n", before, after); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// storeExportCommand is hubd store export.
type storeExportCommand struct {
	File storeFile `arg:"" name:"store" help:"Path or bolt:// URL of the store."`
}

// exportedUpdate is a line of the export. The id is the one that subscribers were given, whether the publisher
// chose it or the hub; type and retry are left out where the update has none.
type exportedUpdate struct {
	Position uint64    `json:"position"`
	Time     time.Time `json:"time"`
	ID       string    `json:"id"`
	Topics   []string  `json:"topics"`
	Private  bool      `json:"private"`
	Type     string    `json:"type,omitempty"`
	Retry    string    `json:"retry,omitempty"`
	Data     string    `json:"data"`
}

// Run prints the updates to stdout and what could not be read to stderr.
func (c *storeExportCommand) Run(ctx context.Context, s *streams) error {
	out := bufio.NewWriter(s.out)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	problems := 0
	x, err := bolt.Export(c.File.path(), func(e bolt.Entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		u := &e.Update
		err := lines.Encode(exportedUpdate{
			Position: e.Position, Time: e.Time.UTC(), ID: u.ID, Topics: u.Topics, Private: u.Private,
			Type: u.Type, Retry: u.Retry, Data: u.Data,
		})
		if err != nil {
			return fmt.Errorf("print an update: %w", err)
		}
		return nil
	}, func(problem error) {
		problems++
		fmt.Fprintln(s.err, "hubd:", oneLine(problem.Error()))
	})
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("print the updates: %w", flushed)
	}
	if err == nil && problems > 0 {
		err = fmt.Errorf("store %s is damaged: %d updates were exported, %d are known to be lost", c.File.path(), x.Entries, x.Lost)
	}
	return err
}
